"""The steps and parameters of the official pipelines of stages 2 and 3.

They are asked of the classes themselves: unlike stage 1's they are not all
literals in the text, and these stages import the official packages anyway.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import Any

from upramp.spared_imports import spare_grammar

from .official_specs import PipelineSpecification, StepSpecification

__all__ = ["later_class", "later_specification"]

_BESIDE = frozenset({"steps", "config_file", "name", "class"})


def later_class(name: str) -> Any:
    """Import an official pipeline.

    Parameters
    ----------
    name
        One of `upramp.stages.pipelines.LATER_PIPELINES`.

    Returns
    -------
    type
        The class of `jwst`; ``WfsCombineStep`` is a step that stands for a pipeline.
    """
    from upramp.references.crds_environment import import_crds

    import_crds()  # the official packages load it too, and not quietly
    spare_grammar()
    if name == "WfsCombineStep":
        from jwst.wfs_combine import WfsCombineStep

        return WfsCombineStep
    from jwst import pipeline

    return getattr(pipeline, name)


@cache
def later_specification(name: str) -> PipelineSpecification:
    """Give what an official pipeline of stage 2 or 3 declares.

    Parameters
    ----------
    name
        One of `upramp.stages.pipelines.LATER_PIPELINES`.

    Returns
    -------
    PipelineSpecification
        The same object each time.
    """
    pipeline = later_class(name)
    own = _declared(pipeline)
    steps = {step: _declared(cls) for step, cls in steps_of(pipeline).items()}
    return PipelineSpecification(**vars(own), steps=MappingProxyType(steps))


def steps_of(pipeline: Any) -> dict[str, Any]:
    """Give the classes of a pipeline's steps by name; a step that stands for one has none.

    Parameters
    ----------
    pipeline
        The official class.
    """
    return dict(getattr(pipeline, "step_defs", {}))


def _declared(cls: Any) -> StepSpecification:
    declared = cls.load_spec_file()
    kinds = cls.reference_file_types  # of a pipeline, a property of its instances
    return StepSpecification(
        class_name=cls.__name__,
        class_alias=cls.class_alias,
        parameters=MappingProxyType(
            {name: str(text) for name, text in declared.items() if name not in _BESIDE}
        ),
        reference_file_types=() if isinstance(kinds, property) else tuple(kinds),
        prefetch_references=cls.prefetch_references,
    )
