"""The configuration chooses who may sign in, and how."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("jupyterhub", reason="the hub's packages are not installed")

from traitlets.config import Config

from upramp.errors import InputError, UsageError
from upramp_hub import authentication
from upramp_hub.accounts.authenticator import (
    AccountsAuthenticator,
    Answer,
    address_of,
    tell_proposals,
)
from upramp_hub.accounts.errors import LockedOutError
from upramp_hub.settings import Settings
from upramp_hub.vouching import voucher


@pytest.fixture
def settings(tmp_path):
    return Settings(state=tmp_path)


def test_own_accounts_are_the_default(settings):
    c = Config()
    authentication.configure(c, settings)
    assert c.JupyterHub.authenticator_class is AccountsAuthenticator
    assert c.JupyterHub.template_vars == {"own_accounts": True}
    found = AccountsAuthenticator(config=c)
    assert found.manage_groups
    assert found.refresh_pre_spawn
    found.accounts.make_first()
    assert (settings.state / "accounts.sqlite").exists()


def test_a_provider_is_chosen_and_its_variables_are_asked_for(settings, monkeypatch):
    monkeypatch.delenv("UPRAMP_HUB_OIDC_ISSUER", raising=False)
    chosen = Settings(state=settings.state, authenticator="oidc")
    with pytest.raises(UsageError, match="UPRAMP_HUB_OIDC_ISSUER"):
        authentication.configure(Config(), chosen)


def test_every_page_that_is_drawn_is_there():
    from upramp_hub.accounts import pages

    drawn = set(re.findall(r'"(\w+\.html)"', Path(pages.__file__).read_text())) - {"error.html"}
    assert drawn == {"accept.html", "password.html", "accounts.html", "accounts_one.html"}
    for name in drawn:
        assert (authentication.TEMPLATES / name).is_file()


def test_every_field_has_a_label_and_every_form_its_token():
    for file in authentication.TEMPLATES.glob("*.html"):
        text = file.read_text()
        if not file.name.startswith(("acc", "password")):
            continue
        for tag in re.findall(r"<input\b[^>]*>", text, re.DOTALL):
            if 'type="hidden"' in tag or 'aria-hidden="true"' in tag:
                continue
            identity = re.search(r'\bid="([^"]+)"', tag)[1]
            assert f'for="{identity}"' in text, (file.name, tag)
        for form in re.findall(r"<form\b.*?</form>", text, re.DOTALL):
            assert 'name="_xsrf"' in form or "begin(" in form, (file.name, form[:80])
            assert 'method="post"' in form


def test_a_server_s_environment_is_changed_for_it_alone(tmp_path):
    shared = {"A": "1"}
    spawner = SimpleNamespace(environment=shared)
    groups = [SimpleNamespace(name=name) for name in ("proposal-12", "staff")]
    user = SimpleNamespace(orm_user=SimpleNamespace(groups=groups))
    tell_proposals(user, spawner, tmp_path)
    assert spawner.environment == {"A": "1", "UPRAMP_PROPOSALS": "12"}
    assert shared == {"A": "1"}


def test_a_wait_is_told_to_programs_too():
    answer = Answer(LockedOutError(4.2))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    assert "5 seconds" in answer.jupyterhub_message


@pytest.mark.parametrize(
    ("peer", "told", "trusted", "address"),
    [
        ("127.0.0.1", [], (), "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.1"], (), "203.0.113.1"),
        ("127.0.0.1", ["10.9.9.9, 203.0.113.1"], (), "203.0.113.1"),
        ("127.0.0.1", ["10.9.9.9", "203.0.113.1"], (), "203.0.113.1"),
        ("127.0.0.1", ["203.0.113.1,192.0.2.9"], ("192.0.2.9",), "203.0.113.1"),
        ("127.0.0.1", ["192.0.2.9"], ("192.0.2.9",), "127.0.0.1"),
        # Who comes to the hub itself from outside is who they are, whatever they say.
        ("8.8.8.8", ["203.0.113.1"], (), "8.8.8.8"),
    ],
)
def test_the_address_is_what_a_proxy_of_ours_says(peer, told, trusted, address):
    assert _asked(peer, told, trusted) == address
    assert _asked(peer, told, trusted, shown=voucher("ours"), vouched=True) == address


@pytest.mark.parametrize("shown", [None, "", "x", "é", voucher("another"), voucher("")])
def test_a_kernel_that_asks_the_hub_itself_has_this_machines_address(shown):
    assert _asked("127.0.0.1", ["203.0.113.1"], (), shown=shown, vouched=True) == "127.0.0.1"


def _asked(peer, told, trusted, *, shown=None, vouched=False):
    headers = SimpleNamespace(get_list=lambda _: told, get=lambda _: shown)
    context = SimpleNamespace(_orig_remote_ip=peer)
    handler = SimpleNamespace(
        app=SimpleNamespace(
            trusted_downstream_ips=trusted, proxy=SimpleNamespace(auth_token="ours")
        ),
        authenticator=SimpleNamespace(vouched=vouched),
        request=SimpleNamespace(
            headers=headers, connection=SimpleNamespace(context=context), remote_ip="192.0.2.66"
        ),
    )
    return address_of(handler)


def test_a_slip_in_the_file_of_proposals_is_said_at_the_start_and_keeps_no_server_down(settings):
    (settings.state / "proposals.toml").write_text("[groups]\nstaff = 1\n")
    with pytest.raises(InputError, match="staff"):
        authentication.configure(Config(), settings)
    said = []
    log = SimpleNamespace(warning=lambda text, *values: said.append(text % values))
    spawner = SimpleNamespace(environment={}, log=log)
    groups = [SimpleNamespace(name=name) for name in ("proposal-12", "staff")]
    tell_proposals(
        SimpleNamespace(orm_user=SimpleNamespace(groups=groups)), spawner, settings.state
    )
    assert spawner.environment == {"UPRAMP_PROPOSALS": "12"}
    assert "staff" in said[0]
