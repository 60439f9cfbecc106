"""The image view without a browser: what it keeps, what it answers, what it leaves behind."""

from __future__ import annotations

import base64
import json
import math
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from upramp.dq import GROUP
from upramp.errors import UsageError
from upramp_widgets.core.render_codes import Codes, decode
from upramp_widgets.core.render_layers import Compass
from upramp_widgets.display import display_mode, set_display_mode
from upramp_widgets.views.browser_code import module, sheet
from upramp_widgets.views.image_view import ImageView

KINDS = {1: np.uint8, 2: np.uint16, 4: np.uint32}


class Page:
    """A page as the kernel sees it: it asks, and keeps what it is told."""

    def __init__(self, view, width=700, height=700):
        self.view = view
        self.told = []
        self.size = (width, height)
        view.send = lambda content, buffers=None: self.told.append((content, buffers or []))

    def say(self, kind, **content):
        """Say something, and give what comes back."""
        # Only what survives the wire.
        content = json.loads(json.dumps({"kind": kind, "page": "p", "seq": 1, **content}))
        before = len(self.told)
        self.view._handle_custom_msg(content, [])
        return self.told[before:]

    def looks(self, xlim=None, ylim=None):
        width, height = self.size
        view = self.view
        limits = {"xlim": list(xlim or view.xlim), "ylim": list(ylim or view.ylim)}
        return {"view": {**limits, "width": width, "height": height}}

    def tiles(self, *want, **limits):
        """Ask for tiles and give their headers and cells."""
        (content, buffers), *rest = self.say("tiles", want=list(want), **self.looks(**limits))
        assert not rest
        assert content["kind"] == "tiles"
        assert (content["page"], content["seq"]) == ("p", 1)
        return [self.tile(h, b) for h, b in zip(content["parts"], buffers, strict=True)]

    @staticmethod
    def tile(header, buffer):
        cells = np.frombuffer(buffer, KINDS[header["bytes"]])
        return header, cells.reshape(header["height"], header["width"])


@pytest.fixture
def view():
    rng = np.random.default_rng(0)
    view = ImageView()
    view.show(rng.normal(100, 5, (300, 400)).astype(np.float32))
    return view


@pytest.fixture
def page(view):
    return Page(view)


def test_what_a_page_asks_first_is_sent_before_it_asks_and_not_again(view, page):
    shown = []
    view.on_shown(lambda: shown.append(len(page.told)))
    view.announce()
    ((ahead, buffers),) = page.told
    assert ahead["kind"] == "ahead"
    header, cells = Page.tile(ahead["parts"][0], buffers[0])
    (scene, _), (tiles, bare) = page.say("ready", **page.looks())
    assert {key: scene[key] for key in ahead["scene"]} == ahead["scene"]
    assert tiles["parts"] == [header]
    np.testing.assert_array_equal(Page.tile(header, bare[0])[1], cells)
    assert shown == [3]
    page.told.clear()
    view.announce()  # a page has it
    assert page.told == []
    have = [[header["part"], header["tier"], header["frame"], header["version"]]]
    _, (tiles, bare) = page.say("ready", have=have, **page.looks())
    assert (tiles["parts"], bare) == ([], [])
    view.show(np.ones((300, 400), np.float32))  # it has another version from now on
    _, (tiles, _) = page.say("ready", have=have, **page.looks())
    assert [part["version"] for part in tiles["parts"]] == [header["version"] + 1]


@pytest.mark.parametrize("have", [5, [5], [["image", "base", 0]], [["sound", "base", 0, 1]]])
def test_a_page_that_has_what_there_is_not_is_told_so(view, page, have):
    with pytest.raises(UsageError):
        view._talk._send_tiles({"have": have, **page.looks()}, [])
    _, (tiles, _) = page.say("ready", have=have, **page.looks())
    assert tiles["problem"]


def test_nothing_is_sent_ahead_of_what_there_is_not():
    view = ImageView()
    page = Page(view)
    view.announce()
    assert page.told == []


def test_a_first_question_is_answered_with_all_there_is(view, page):
    flags = np.zeros((300, 400), np.uint8)
    flags[5, 7] = 4
    view.set_significance(np.zeros((300, 400)))
    view.set_flags(flags, {"JUMP_DET": 4}, ["JUMP_DET"])
    view.set_curves("lines", [[[0, 0], [5, 5]]], labels=["a"])
    assert page.told == []  # nobody has asked
    scene, layer, tiles = page.say("ready", **page.looks())
    assert scene[0]["kind"] == "scene"
    assert scene[0]["shape"] == [300, 400]
    assert [mask["label"] for mask in scene[0]["masks"]] == ["JUMP_DET"]
    assert layer[0]["name"] == "lines"
    assert np.frombuffer(layer[1][0], np.float32).tolist() == [0, 0, 5, 5]
    found = [page.tile(h, b) for h, b in zip(tiles[0]["parts"], tiles[1], strict=True)]
    assert [header["part"] for header, _ in found] == ["image", "significance", "masks"]
    assert np.argwhere(found[2][1]).tolist() == [[5, 7]]


def test_tiles_hold_the_pixels_that_are_looked_at(view, page):
    plane = np.arange(300 * 400, dtype=np.float32).reshape(300, 400)
    view.show(plane)
    ((header, cells),) = page.tiles(["image", "sharp", 0], xlim=(100.5, 140.5), ylim=(20.5, 60.5))
    assert header["factor"] == 1
    codes = Codes(cells, header["centre"], header["scale"], header["top"])
    rows = slice(header["y0"], header["y0"] + header["height"])
    columns = slice(header["x0"], header["x0"] + header["width"])
    assert columns.start <= 101
    assert columns.stop >= 141
    np.testing.assert_allclose(decode(codes), plane[rows, columns], atol=200)


def test_a_change_of_a_part_is_told_by_its_version_and_of_no_other(view, page):
    page.say("ready", **page.looks())

    def versions_after(act):
        page.told.clear()
        act()
        return page.told[-1][0]["versions"]

    first = versions_after(lambda: view.set_mask("m", np.zeros((300, 400), bool)))
    second = versions_after(view.refresh_masks)
    third = versions_after(lambda: view.show(np.zeros((300, 400))))
    assert second == {**first, "masks": first["masks"] + 1}
    assert third == {**second, "image": second["image"] + 1}
    same = versions_after(lambda: view.show(np.zeros((300, 400)), key="a"))
    assert versions_after(lambda: view.show(np.zeros((300, 400)), key="a")) == same


def test_masks_share_the_bits_of_a_tile_in_the_order_of_the_legend(view, page):
    flags = np.zeros((300, 400), np.uint32)
    names = {f"F{bit}": 1 << bit for bit in range(32)}
    for bit in range(32):
        flags[bit, bit] = 1 << bit
    view.set_flags(flags, dict(list(names.items())[:3]))
    assert page.tiles(["masks", "base", 0])[0][1].dtype == np.uint8
    view.set_flags(flags, names)
    _, cells = page.tiles(["masks", "base", 0])[0]
    np.testing.assert_array_equal(cells[:300, :400], flags)
    with pytest.raises(UsageError, match="32 masks already"):
        view.set_mask("one more", flags)


def test_the_caller_s_arrays_are_never_changed():
    plane = np.ones((40, 40), np.float32)
    flags = np.ones((40, 40), np.uint8)
    for array in (plane, flags):
        array.flags.writeable = False
    view = ImageView()
    view.show(plane)
    view.set_significance(plane)
    view.set_flags(flags, GROUP, list(GROUP))
    page = Page(view)
    page.say("ready", **page.looks())
    view.picture()
    view.to_html()


def test_a_click_chooses_a_pixel_and_tells_listeners(view, page):
    heard = []
    view.on_click(lambda x, y, held: heard.append((x, y, held)))
    page.say("click", x=12, y=34, modifiers={"shift": True, "evil": 1})
    assert (view.x, view.y) == (12, 34)
    assert heard == [(12, 34, {"shift": True, "ctrl": False, "alt": False})]
    page.say("click", x=4000, y=2)
    view.click(-1, 2)
    assert len(heard) == 1
    view.click(1, 2)
    assert (view.x, view.y) == (1, 2)


def test_a_stroke_by_hand_is_the_stroke_by_call(view, page):
    heard = []
    view.on_stroke(lambda *stroke: heard.append(stroke))
    drawn = {"tool": "brush", "points": [[1, 2], [2, 2]], "radius": 3, "erase": True}
    answers = page.say("stroke", id=7, **drawn)
    view.stroke("brush", [(1, 2), (2, 2)], 3, True)
    assert heard == [("brush", [(1.0, 2.0), (2.0, 2.0)], 3.0, True)] * 2
    assert answers[-1][0] == {"kind": "stroke", "page": "p", "id": 7}


def test_a_stroke_s_mask_is_told_before_its_answer(view, page):
    """The page drops what it drew when the answer comes, unless a newer mask is announced."""
    mask = np.zeros((300, 400), bool)
    view.set_mask("hand", mask)
    page.say("ready", **page.looks())

    def paint(_, points, *__):
        mask[int(points[0][1]), int(points[0][0])] = True
        view.refresh_masks()

    view.on_stroke(paint)
    answers = page.say("stroke", tool="brush", points=[[3, 4]], radius=0, erase=False, id=1)
    assert [answer[0]["kind"] for answer in answers] == ["scene", "stroke"]
    _, cells = page.tiles(["masks", "base", 0])[0]
    assert np.argwhere(cells).tolist() == [[4, 3]]


def test_the_cursor_is_told_value_flags_and_what_listeners_say(view, page):
    plane = np.zeros((300, 400))
    plane[10, 20] = 1.25
    plane[10, 21] = math.nan
    view.show(plane)
    view.set_flags(np.full((300, 400), 6, np.uint8), {"SATURATED": 2, "JUMP_DET": 4, "DEAD": 8})
    view.on_cursor(lambda x, y: f"sky {x:.1f} {y:.1f}")
    view.on_cursor(lambda x, y: None)
    ((answer, _),) = page.say("cursor", x=20.3, y=9.6)
    assert (answer["x"], answer["y"], answer["value"]) == (20, 10, 1.25)
    assert answer["flags"] == ["SATURATED", "JUMP_DET"]
    assert view.readout == "sky 20.3 9.6"
    assert page.say("cursor", x=21, y=10)[0][0]["value"] is None
    assert "value" not in page.say("cursor", x=-50, y=10)[0][0]


def test_an_action_reaches_the_program(view, page):
    heard = []
    view.on_action(heard.append)
    page.say("action", name="undo")
    view.act("redo")
    assert heard == ["undo", "redo"]
    page.say("action", name="format the disk")
    assert heard == ["undo", "redo"]
    assert "there is no" in view.status


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "tiles", "want": [["image", "base", 0]]},
        {"kind": "tiles", "want": "all", "view": {}},
        {"kind": "tiles", "want": [["image", "base", 0]] * 17},
        {"kind": "tiles", "want": [["image", "_tile", 0]]},
        {"kind": "tiles", "want": [["__class__", "base", 0]]},
        {"kind": "tiles", "want": [["image", "base", "0"]]},
        {"kind": "ready"},
        {"kind": "ready", "view": {"xlim": [0, 1], "ylim": [0, 1], "width": 1e9, "height": 5}},
        {"kind": "ready", "view": {"xlim": [0, 0], "ylim": [0, 1], "width": 5, "height": 5}},
        {"kind": "click", "x": "5", "y": None},
        {"kind": "cursor", "x": 1e300, "y": 0},
        {"kind": "stroke", "tool": "brush", "points": [], "radius": 1},
        {"kind": "stroke", "tool": "inspect", "points": [[1, 1]], "radius": 1},
        {"kind": "stroke", "tool": "brush", "points": [[1]], "radius": 1},
        {"kind": "stroke", "tool": "brush", "points": [[1, 1]], "radius": -1},
        {"kind": "stroke", "tool": "brush", "points": [[1, 1]], "radius": True},
    ],
)
def test_nonsense_of_a_page_is_refused_with_a_sentence_and_does_no_harm(view, page, content):
    answers = page.say(**content)
    assert view.status
    if content["kind"] in {"tiles", "ready"}:  # a page that waits for ever asks no more
        assert answers[-1][0]["kind"] == "tiles"
        assert answers[-1][0]["parts"] == []
        assert answers[-1][0]["problem"] == view.status
    assert page.tiles(["image", "base", 0])


@pytest.mark.parametrize("content", [None, 5, "text", [], {}, {"kind": None}, {"kind": "other"}])
def test_what_is_not_for_the_view_is_left_alone(view, content):
    view._handle_custom_msg(content, [])
    assert view.status == ""


def test_a_listener_that_fails_is_seen_and_the_page_is_answered(view, page):
    def fails(*_):
        raise ZeroDivisionError("by zero")

    view.on_stroke(fails)
    with pytest.raises(ZeroDivisionError):
        view._talk.hear(
            view, {"kind": "stroke", "tool": "line", "points": [[1, 1], [2, 2]], "radius": 0}, []
        )
    assert view.status == "ZeroDivisionError: by zero"
    assert page.told[-1][0]["kind"] == "stroke"


def test_a_plane_that_cannot_be_read_is_told_and_the_next_is_shown(view, page):
    def broken(rows, columns):
        raise OSError("the file ends too early")

    view.set_mask("broken", broken)
    with pytest.raises(OSError, match="too early"):
        view._talk.hear(view, {"kind": "ready", **page.looks()}, [])
    assert page.told[-1][0]["problem"] == "the file ends too early"
    view.set_mask("broken", None)
    assert page.tiles(["image", "base", 0])


def test_frames_are_stepped_through_and_masks_that_vary_follow(page, view):
    planes = [np.full((30, 20), float(n)) for n in range(5)]
    view.set_frames(planes, labels=[f"group {n + 1}" for n in range(5)])
    view.set_mask("varies", lambda rows, cols: planes[view.frame][rows, cols] > 2)
    page.say("ready", **page.looks())
    assert (view.xlim, view.ylim) == ((-0.5, 19.5), (-0.5, 29.5))
    seen = []
    for frame in range(5):
        view.frame = frame
        header, cells = page.tiles(["image", "base", frame])[0]
        codes = Codes(cells, header["centre"], header["scale"], header["top"])
        seen.append(decode(codes).mean())
        assert page.tiles(["masks", "base", 0])[0][1].all() == (frame > 2)
    assert seen == pytest.approx(range(5), abs=1e-3)
    assert page.tiles(["image", "base", 5]) == []
    view.set_frames(planes[:2])
    assert view.frame == 0


def test_another_shape_is_shown_whole_and_what_lay_over_it_is_gone(view):
    view.set_mask("m", np.zeros((300, 400), bool))
    view.set_significance(np.zeros((300, 400)))
    view.click(399, 299)
    view.center(10, 10, 20)
    view.show(np.zeros((8, 9)))
    assert (view.xlim, view.ylim) == ((-0.5, 8.5), (-0.5, 7.5))
    assert (view.x, view.y, view.flags_shown) == (-1, -1, ())
    assert not view.scene.masks
    assert view.scene.significance is None
    view.show(np.ones((8, 9)))
    view.center(4, 4, 3)
    view.show(np.zeros((8, 9)))
    assert view.xlim == (2.5, 5.5)  # of one shape: what is looked at stays


def test_limits_are_chosen_once_kept_and_chosen_anew_on_demand(view):
    low, high = view.vmin, view.vmax
    assert 80 < low < 95
    assert 105 < high < 120
    view.show(np.linspace(0, 1, 120_000).reshape(300, 400))
    assert (view.vmin, view.vmax) == (low, high)
    view.use_limits("minmax")
    assert (view.vmin, view.vmax) == pytest.approx((0, 1), abs=0.01)
    view.use_limits((3, 4))
    assert view.limits == (3, 4)
    for wrong in ((4, 3), (0, math.nan), "best"):
        with pytest.raises(UsageError):
            view.use_limits(wrong)
    view.vmin = None
    assert view.limits[1] == 4


def test_what_does_not_fit_is_refused(view):
    with pytest.raises(UsageError, match=r"shape \(3, 3\) is not the image's \(300, 400\)"):
        view.set_mask("m", np.zeros((3, 3), bool))
    with pytest.raises(UsageError, match="call show"):
        ImageView().set_significance(np.zeros((3, 3)))
    with pytest.raises(UsageError, match="'red' is none"):
        view.set_points("p", [1], [1], "red")
    with pytest.raises(UsageError, match=r"have \[1, 2\] values"):
        view.set_points("p", [1], [1, 2])
    with pytest.raises(UsageError, match="2 labels for 1"):
        view.set_points("p", [1], [1], labels=["a", "b"])
    with pytest.raises(UsageError, match="no shape 'star'"):
        view.set_points("p", [1], [1], shape="star")
    with pytest.raises(UsageError, match="is none"):
        view.set_curves("c", [np.zeros((3, 3))])
    with pytest.raises(UsageError, match="float64 are no flags"):
        view.set_mask("m", np.zeros((300, 400)))
    with pytest.raises(UsageError, match="are no numbers"):
        view.set_compass(Compass((math.nan, 0), (0, 1)))


def test_layers_are_told_as_they_come_and_go(view, page):
    page.say("ready", **page.looks())
    page.told.clear()
    view.set_points("stars", [1.5], [2.5], labels=["S"])
    view.set_arrows("residuals", [1], [2], [0.1], [0.2], scale=100)
    view.set_compass(Compass((0, 1), (-1, 0), 0.03))
    view.set_points("stars", None)
    assert [(c["name"], (c["header"] or {}).get("kind")) for c, _ in page.told] == [
        ("stars", "points"),
        ("residuals", "arrows"),
        ("compass", "compass"),
        ("stars", None),
    ]
    assert [np.frombuffer(b, np.float32).tolist() for b in page.told[0][1]] == [[1.5], [2.5]]


@pytest.mark.parametrize(
    "plane",
    [np.zeros((1, 1)), np.full((64, 64), math.nan), np.zeros((4096, 4096), np.uint16)],
    ids=["one pixel", "all NaN", "4096"],
)
def test_planes_at_the_edges_are_shown(plane):
    view = ImageView()
    view.show(plane)
    page = Page(view)
    scene, tiles = page.say("ready", **page.looks())
    header, cells = page.tile(tiles[0]["parts"][0], tiles[1][0])
    assert cells.size <= 1024 * 1024
    json.dumps([scene[0], header], allow_nan=False)
    sharp = page.tiles(["image", "sharp", 0], xlim=(-3, 3), ylim=(-3, 3))
    assert sharp[0][0]["factor"] == 1
    assert view.picture().startswith(b"\x89PNG")


def test_pages_are_answered_while_a_cell_changes_what_is_shown():
    """A notebook may answer pages in one thread while a cell runs in another."""
    view = ImageView(frame=1, title="several threads")
    view.set_frames([np.zeros((200, 200)), np.ones((200, 200))])
    page = Page(view)
    done = threading.Event()

    def ask():
        while not done.is_set():
            page.say("ready", **page.looks())
            page.say("cursor", x=3, y=3)
            view.picture()

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            for n in range(120):
                side = 100 + n % 3
                view.set_frames([np.zeros((side, side))] * 2)
                for name in "abcd":
                    view.set_mask(name, np.zeros((side, side), bool))
                view.set_points("p", [1], [1])
                view.set_mask("a", None)
                view.set_points("p", None)
        finally:
            done.set()
        asking.result()
    problems = [content["problem"] for content, _ in page.told if "problem" in content]
    assert problems == []
    assert view.status == ""


def test_no_array_is_in_a_trait(view):
    view.set_significance(np.zeros((300, 400)))
    view.set_mask("m", np.zeros((300, 400), bool))
    state = view.get_state()
    state.pop("_esm")
    state.pop("_css")
    assert len(json.dumps(state, default=str)) < 4000


@pytest.fixture
def auto():
    yield
    set_display_mode("auto")


def test_a_notebook_gets_the_view_and_a_picture_or_in_static_mode_the_picture(
    view, auto, monkeypatch
):
    bundle = view._repr_mimebundle_()
    assert set(bundle) == {
        "application/vnd.jupyter.widget-view+json",
        "image/png",
        "text/plain",
    }
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == "Image: 400 x 300 pixels"
    set_display_mode("static")
    assert set(view._repr_mimebundle_()) == {"image/png", "text/plain"}
    set_display_mode("auto")
    monkeypatch.setenv("UPRAMP_WIDGETS", "static")
    assert display_mode() == "static"
    set_display_mode("live")
    assert display_mode() == "live"
    with pytest.raises(UsageError, match="display mode: there is no 'fast'"):
        set_display_mode("fast")
    set_display_mode("auto")
    monkeypatch.setenv("UPRAMP_WIDGETS", "often")
    with pytest.raises(UsageError, match="UPRAMP_WIDGETS: there is no 'often'"):
        display_mode()


def test_a_snapshot_renews_what_was_displayed(view, monkeypatch):
    from IPython import display as shown

    told = []

    class Handle:
        display_id = "an-id"

    def display(data, raw, display_id):
        told.append(("display", data["text/plain"], display_id))
        return Handle()

    monkeypatch.setattr(shown, "display", display)
    monkeypatch.setattr(
        shown,
        "update_display",
        lambda data, raw, display_id: told.append(("update", data["text/plain"], display_id)),
    )
    view.snapshot()
    assert told == []
    view._ipython_display_()
    view.title = "After"
    view.snapshot()
    assert told == [
        ("display", "Image: 400 x 300 pixels", True),
        ("update", "After: 400 x 300 pixels", "an-id"),
    ]


def test_a_page_of_its_own_needs_nothing_else(view):
    view.title = "<script>alert(1)</script></script><!--"
    text = view.to_html()
    assert "<script>alert" not in text
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", text)
    assert "import " not in re.sub(r"//.*", "", module("standalone"))


@pytest.mark.parametrize("entry", ["image_view", "standalone"])
def test_the_browser_s_code_is_one_module_without_imports(entry):
    code = module(entry)
    assert not re.search(r"^import ", code, re.MULTILINE)
    assert not re.search(r"^export (?!default)", code, re.MULTILINE)
    assert "http://" not in code.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in code + sheet()


def test_importing_the_view_is_light():
    heavy = ["matplotlib", "bokeh", "numba", "scipy", "astropy", "jwst"]
    code = (
        "import upramp_widgets.views.image_view, sys; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
