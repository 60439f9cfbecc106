"""The pages of accounts in Chromium: used with a keyboard, read by their labels."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from accounts_hub import CHEAP, PASSWORD, Hub
from proxy_process import stopping

from upramp_hub.accounts import Accounts, first_administrator, passwords

pytestmark = [pytest.mark.hub, pytest.mark.browser]


PICTURES = os.environ.get("UPRAMP_TEST_PICTURES")
"""Where pictures of the pages are put, if anywhere."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    (folder / "state").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "COST", CHEAP)
        first = first_administrator(folder / "state")
        with stopping(Hub(folder)) as running:
            running.first = first
            running.accounts = Accounts(running.state)
            yield running


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1100, "height": 900})
    context.set_default_timeout(20_000)
    found = context.new_page()
    found.errors = []
    found.on("pageerror", lambda error: found.errors.append(str(error)))
    yield found
    assert found.errors == []
    context.close()


def picture(page, name):
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def sign_in(page, hub, name, password):
    page.goto(f"{hub.url}/hub/login?next=%2Fhub%2Faccounts")
    page.get_by_label("Username:").fill(name)
    page.get_by_label("Password:").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)


def test_an_administrator_invites_and_a_guest_accepts(hub, page, chromium):
    name, password = hub.first
    sign_in(page, hub, name, password)
    assert page.get_by_role("link", name="Later").is_visible()
    picture(page, "password")
    page.get_by_role("link", name="Later").click()
    page.get_by_label("Groups").fill("proposal-1234")
    page.get_by_label("Your own password").fill("a wrong one, first")
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    assert "Your own password: it is wrong" in alert.inner_text()
    assert page.get_by_label("Groups").input_value() == "proposal-1234"
    page.get_by_label("Your own password").fill(password)
    page.keyboard.press("Enter")
    page.locator("#link").wait_for()
    address = page.locator("#link").inner_text()
    picture(page, "accounts")

    context = chromium.new_context(viewport={"width": 700, "height": 900})
    guest = context.new_page()
    asked = []
    guest.on("request", lambda request: asked.append(request.url))
    guest.goto(address)
    guest.get_by_role("heading", name="Welcome").wait_for()
    # Neither the hub's log nor the browser's history sees the secret.
    secret = address.partition("#")[2]
    assert secret not in guest.url
    assert not [url for url in asked if secret in url]
    # The field for the name has the focus; from there on the keyboard is enough.
    guest.keyboard.type("grace")
    guest.keyboard.press("Tab")
    guest.keyboard.type(PASSWORD)
    guest.keyboard.press("Tab")
    assert guest.evaluate("document.activeElement.textContent.trim()") == "Show: Password"
    guest.keyboard.press("Space")
    assert guest.get_by_label("Password", exact=True).get_attribute("type") == "text"
    picture(guest, "accept")
    guest.keyboard.press("Tab")
    guest.keyboard.type(PASSWORD)
    guest.keyboard.press("Enter")
    guest.wait_for_url(lambda url: "/accept" not in url)
    assert hub.accounts.find("grace").groups == ("proposal-1234",)
    context.close()

    page.goto(f"{hub.url}/hub/accounts/of/grace")
    picture(page, "account")
    page.get_by_label("All groups of this account").fill("proposal-5")
    page.locator("#form-groups").get_by_label("Your own password").fill(password)
    page.keyboard.press("Enter")
    page.get_by_role("status").wait_for()
    assert hub.accounts.find("grace").groups == ("proposal-5",)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sign_in_says_what_this_is_and_where_the_first_password_is(hub, page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{hub.url}/hub/login")
    assert "JWST" in page.locator("#login-main").inner_text()
    assert page.get_by_text("printed where the hub was started").is_visible()
    assert page.locator("html").get_attribute("data-bs-theme") == scheme
    picture(page, f"login-{scheme}")
    # Who comes from elsewhere cannot look there.
    text = page.request.get(f"{hub.url}/hub/login", headers={"Host": "hub.example"}).text()
    assert "printed where" not in text
    assert "by invitation" in text


def test_an_invitation_that_does_not_hold_says_so(hub, page):
    page.goto(f"{hub.url}/hub/accept#no-such-invitation")
    page.get_by_role("heading", name="This invitation does not hold").wait_for()
    assert "ask for a new one" in page.get_by_role("alert").inner_text()


def test_a_wait_is_said_where_one_signs_in(hub, page):
    for _ in range(6):
        page.goto(f"{hub.url}/hub/login")
        page.get_by_label("Username:").fill("somebody")
        page.get_by_label("Password:").fill("a guess at it")
        page.keyboard.press("Enter")
        page.locator(".login_error").wait_for()
    assert "try again in" in page.locator(".login_error").inner_text()
    picture(page, "wait")


def test_no_script_of_another_page_reads_or_sends_these(hub, page):
    name, password = hub.first
    sign_in(page, hub, name, password)
    # As a page of a user's server, on the same origin, would.
    page.goto(f"{hub.url}/hub/home")
    read = page.evaluate(
        "fetch('/hub/accounts', {credentials: 'include'}).then(answer => answer.status)"
    )
    assert read == 403
    sent = page.evaluate(
        """fetch('/hub/accounts', {method: 'POST', credentials: 'include',
            headers: {'Content-Type': 'application/x-www-form-urlencoded'},
            body: 'name=mallory&administrator=yes&_xsrf=' + window.jhdata.xsrf_token})
            .then(answer => answer.status)"""
    )
    # Even with the session's token there is the password.
    assert sent == 403
    assert not [each for each in hub.accounts.invitations() if each.name == "mallory"]
