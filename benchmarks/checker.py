"""What a decision costs its checker: keys, pages and milliseconds, counted in a real browser.

Against a running demo: signs in as a checker, registers a passkey of a virtual authenticator, then
goes the whole way from the front page to the decision with the keyboard alone and counts it. Nobody
knows how long a person reads; what the system adds to that time is what is measured here.

    python -m benchmarks.checker --home DIR [--base URL] [--pictures DIR]
"""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import BrowserContext, Page, sync_playwright

from tms.story.codes import STEP_SECONDS, code_at

CHROMIUM: Final = "/usr/bin/chromium"
SETTLED_MS: Final = 2_000
WIDE: Final = {"width": 1280, "height": 860}
AUTHENTICATOR: Final = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
    "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip
TIMING: Final = """() => {
    const page = performance.getEntriesByType("navigation")[0];
    return {server: page.responseEnd - page.requestStart, whole: page.loadEventEnd};
}"""


@dataclass
class Walk:
    """One way through the pages: what was pressed, and what each page took."""

    keys: list[str] = field(default_factory=list)
    pages: list[dict[str, Any]] = field(default_factory=list)

    def press(self, page: Page, *keys: str) -> None:
        """Press keys one after the other, and count them."""
        for key in keys:
            page.keyboard.press(key)
            self.keys.append(key)

    @contextmanager
    def leads_to(self, page: Page, name: str, address: str) -> Iterator[None]:
        """Count the page that the block leads to: its server's time, and until it is there."""
        begun = time.perf_counter()
        with page.expect_navigation(url=f"**{address}", wait_until="load"):
            yield
        took = page.evaluate(TIMING)
        self.pages.append(
            {
                "page": name,
                "server_ms": round(took["server"]),
                "page_ms": round(took["whole"]),
                "key_to_page_ms": round((time.perf_counter() - begun) * 1000),
            }
        )


class Checker:
    """A person of the demo with a browser, an authenticator and a passkey."""

    def __init__(self, context: BrowserContext, *, base: str, home: Path, name: str) -> None:
        people = json.loads((home / "demo_people.json").read_text())["tenants"][0]["people"]
        self.facts = next(one for one in people if one["username"].startswith(f"{name}@"))
        self.page, self.base = context.new_page(), base
        self.step = int(time.time()) // STEP_SECONDS - 1

    def code(self) -> str:
        """Return a code that was not used yet; three are there at once."""
        made = code_at(self.facts["totp_secret"], self.step)
        self.step += 1
        return made

    def sign_in(self) -> None:
        """Sign in with password and code, then register a passkey with another code."""
        page = self.page
        page.goto(f"{self.base}/sign-in?next=/me/security")
        page.fill("[name=username]", self.facts["username"])
        page.fill("[name=password]", self.facts["password"])
        page.keyboard.press("Enter")
        page.wait_for_selector("[name=code]")
        page.fill("[name=code]", self.code())
        page.keyboard.press("Enter")
        page.wait_for_url("**/me/security")
        line = page.context.new_cdp_session(page)
        line.send("WebAuthn.enable")
        line.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        page.get_by_label("Name of the new passkey").fill("Benchmark")
        page.locator("#passkey-code").fill(self.code())
        page.get_by_role("button", name="Add a passkey").click()
        page.wait_for_selector(".toast-success")

    def decide(self, pictures: "Pictures") -> Walk:
        """Go from the front page to the decision, with the keyboard alone."""
        page, walk = self.page, Walk()
        page.goto(self.base)
        page.wait_for_timeout(SETTLED_MS)
        with walk.leads_to(page, "inbox", "/approvals"):
            walk.press(page, "g", "a")
        page.wait_for_selector("#request-detail")
        pictures.take(page, "request")
        walk.press(page, "a")
        page.wait_for_selector("#approve-dialog[open]")
        pictures.take(page, "passkey")
        with walk.leads_to(page, "decided", "/approvals"):
            walk.press(page, "Enter")
        page.wait_for_selector(".toast-success, .toast-error")
        pictures.take(page, "decided")
        return walk

    def decide_together(self, pictures: "Pictures") -> Walk:
        """Mark all that can be marked and approve them with one passkey."""
        page, walk = self.page, Walk()
        with walk.leads_to(page, "inbox", "/approvals"):
            walk.press(page, "g", "a")
        rows = page.locator("[data-row]").count()
        walk.press(page, "k", "x")
        for _ in range(rows - 1):
            walk.press(page, "j")
            page.wait_for_timeout(400)  # the request beside the list follows the choice
            if page.locator("[aria-selected=true] [data-mark]").count():
                walk.press(page, "x")
        pictures.take(page, "inbox")
        with walk.leads_to(page, "together", "/approvals/together?*"):
            walk.press(page, "t")
        pictures.take(page, "together")
        for box in page.locator("form.panel [type=checkbox]").all():
            box.focus()
            walk.press(page, "Space")
        with walk.leads_to(page, "result", "/approvals/together/decide"):
            walk.press(page, "p")
        pictures.take(page, "together-done")
        return walk


@dataclass(frozen=True)
class Pictures:
    """Where pictures go, if anywhere."""

    place: Path | None

    def take(self, page: Page, name: str, *, whole: bool = False) -> None:
        """Take one."""
        if self.place is not None:
            self.place.mkdir(parents=True, exist_ok=True)
            page.wait_for_timeout(500)
            page.screenshot(path=self.place / f"checker-{name}.png", full_page=whole)


def _shown(title: str, walk: Walk) -> str:
    lines = [f"{title}: {len(walk.keys)} keys ({' '.join(walk.keys)}), {len(walk.pages)} pages"]
    lines += [
        f"  {one['page']:<9} server {one['server_ms']:>4} ms, page {one['page_ms']:>4} ms,"
        f" from key to page {one['key_to_page_ms']:>4} ms"
        for one in walk.pages
    ]
    return "\n".join(lines)


def main() -> None:
    """Count both ways and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="TMS_HOME of the running demo.")
    parser.add_argument("--base", default="http://localhost:8000")
    parser.add_argument("--person", default="checker1")
    parser.add_argument("--pictures", type=Path, help="Take pictures of the way into this folder.")
    given = parser.parse_args()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport=WIDE)
        checker = Checker(context, base=given.base, home=given.home, name=given.person)
        pictures = Pictures(given.pictures)
        checker.sign_in()
        print(_shown("One request", checker.decide(pictures)))
        print(_shown("Several", checker.decide_together(pictures)))
        browser.close()


if __name__ == "__main__":
    main()
