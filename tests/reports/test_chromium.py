"""The pages in a real browser: nothing asked of a network, nothing wrong in the console, no sideways scrolling."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from invented import invented, pairs

from ganonym.evaluate.compare import compare
from ganonym.evaluate.report.evidence import evidence_page
from ganonym.evaluate.report.pages import comparison_page, internal_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
PHONE = 390
MEASURE = """
<!doctype html><meta charset="utf-8"><body><iframe style="border:0;width:%dpx;height:20000px" srcdoc="%s"></iframe>
<script>addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const seen = [...page.querySelectorAll("svg")].map(each => each.getBoundingClientRect());
  document.body.textContent = JSON.stringify({
    width: page.documentElement.scrollWidth, figures: seen.filter(box => box.width > 250 && box.height > 80).length,
    letter: Math.min(...[...page.querySelectorAll("svg text")].map(each => each.getBoundingClientRect().height)),
    tables: page.querySelectorAll("table").length, boxed: page.querySelectorAll(".scroll > table").length,
    broken: [...page.images].filter(each => !each.naturalWidth).length,
  });
});</script>
"""


def browse(folder: Path, page: str, *options: str) -> tuple[str, str, str]:
    """The page as the browser has it after loading, its console, and its log of network activity."""
    file = folder / "page.html"
    file.write_text(page, "utf-8")
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
        f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", f"--log-net-log={folder / 'net.json'}",
        *options, "--dump-dom", file.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    console = "\n".join(line for line in done.stderr.splitlines() if ":CONSOLE" in line)
    return done.stdout, console, (folder / "net.json").read_text("utf-8", errors="replace")


def measured(folder: Path, page: str) -> dict[str, float]:
    """What a script outside finds about the page in a frame as wide as a phone."""
    dom, _, _ = browse(folder, MEASURE % (PHONE, html.escape(page)))
    result = re.search(r"<body>(\{.*?\})", dom)
    assert result is not None, dom[-500:]
    read: dict[str, float] = json.loads(html.unescape(result[1]))
    return read


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    both = {"one": invented(), "other with a name that is quite long": invented(8.0, 0.7)}
    return {
        "internal": internal_page(invented(simulated=True), pairs(2)),
        "evidence": evidence_page(invented(simulated=True)),
        "comparison": comparison_page(compare(both)),
    }


@pytest.mark.parametrize(("name", "figures"), [("internal", 9), ("evidence", 2), ("comparison", 1)])
def test_pages_fit_a_phone_and_show_their_figures(
    tmp_path: Path, pages: dict[str, str], name: str, figures: int
) -> None:
    result = measured(tmp_path, pages[name])
    assert result["width"] == PHONE
    assert result["figures"] == figures
    assert result["letter"] >= 10
    assert result["tables"] == result["boxed"]
    assert result["broken"] == 0


@pytest.mark.parametrize("name", ["internal", "evidence"])
def test_pages_ask_nothing_of_the_network_and_the_console_is_silent(
    tmp_path: Path, pages: dict[str, str], name: str
) -> None:
    dom, console, net = browse(tmp_path, pages[name], "--host-resolver-rules=MAP * ~NOTFOUND")
    assert console == ""
    assert "canary.invalid" not in net
    assert "</footer>" in dom
    asked = set(re.findall(r'"url":"(https?://[^"]+)"', net))
    assert not {entry for entry in asked if "google" not in entry}, "the browser's own calls are not the page's"


def test_faults_would_be_seen(tmp_path: Path, pages: dict[str, str]) -> None:
    wide = pages["evidence"].replace("</h1>", '</h1><p style="width:700px;max-width:none">wide</p>', 1)
    assert measured(tmp_path, wide)["width"] > PHONE
    calling = pages["evidence"].replace("</h1>", '</h1><img src="http://canary.invalid/a.png"><script>1</script>', 1)
    _, console, _ = browse(tmp_path, calling)
    assert "canary.invalid" in console, "the page's own policy forbids it"
    free = re.sub(r"<meta http-equiv[^>]*>", "", calling)
    _, _, net = browse(tmp_path, free, "--host-resolver-rules=MAP * ~NOTFOUND")
    assert "canary.invalid" in net
