"""The built site, looked at: every link leads somewhere, nothing comes from elsewhere, a real browser can use it.

Run by `python3 noxfile.py -s docs`, with the site's folder in MIZZLE_SITE and the browser's programs on the path.
"""

import json
import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

SITE = Path(os.environ["MIZZLE_SITE"])
WIDTHS = {"wide": 1280, "narrow": 420}
PATIENCE = 30.0
"""Seconds to wait for what the browser is to show."""


class Links(HTMLParser):
    """The links, the fetched files and the anchors of one page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in {"script", "img", "iframe", "source"} and "src" in values:
            self.fetched.append(values["src"])
        if tag == "link" and values.get("rel") in {"stylesheet", "icon", "preload"}:
            self.fetched.append(values["href"])


PAGES = {page.relative_to(SITE).as_posix(): Links(page) for page in sorted(SITE.rglob("*.html"))}


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that writes no log."""

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  (the base class named it)
        """Write nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The site, served on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    """A headless browser that notes its requests and the messages of its console."""
    options = webdriver.ChromeOptions()
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--proxy-server=direct://",
    ):
        options.add_argument(argument)
    options.binary_location = str(shutil.which("chromium"))
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=str(shutil.which("chromedriver")))
    driver = webdriver.Chrome(options=options, service=service)
    driver.implicitly_wait(PATIENCE)
    yield driver
    driver.quit()


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_page_and_an_anchor(name: str) -> None:
    """Links inside the site end at a file, and at an anchor of it."""
    broken = []
    for link in PAGES[name].links:
        parts = urlsplit(link)
        if parts.scheme or (link.startswith("#") and not parts.fragment):
            continue
        target = (SITE / name).parent / unquote(parts.path) if parts.path else SITE / name
        place = os.path.relpath(target, SITE)
        if not target.exists() or (parts.fragment and unquote(parts.fragment) not in PAGES[place].anchors):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_fetched_from_elsewhere(name: str) -> None:
    """Scripts, styles and pictures are files of the site."""
    elsewhere = [file for file in PAGES[name].fetched if urlsplit(file).netloc]
    missing = [
        file for file in PAGES[name].fetched if not ((SITE / name).parent / unquote(urlsplit(file).path)).exists()
    ]
    assert (elsewhere, missing) == ([], [])


def test_reader_follows_the_navigation(browser: webdriver.Chrome, address: str) -> None:
    """From the front page by "Next" through every page of the guide into the reference, without an error."""
    browser.get(address)
    seen = []
    while next_page := browser.find_elements(By.CSS_SELECTOR, "a.next-page"):
        seen.append(browser.find_element(By.CSS_SELECTOR, "article h1").text)
        target = next_page[0].get_attribute("href")
        browser.execute_script("arguments[0].click()", next_page[0])
        WebDriverWait(browser, PATIENCE).until(lambda driver, target=target: driver.current_url == target)
        browser.implicitly_wait(0)
    guide = [name for name in PAGES if "/" not in name and name not in {"genindex.html", "search.html"}]
    assert len(seen) >= len(guide) - 1
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    assert {urlsplit(url).netloc for url in requests if not url.startswith("data:")} == {urlsplit(address).netloc}


def test_search_finds_a_name(browser: webdriver.Chrome, address: str) -> None:
    """The site's own search finds a page of the guide and the reference."""
    browser.get(f"{address}/search.html?q=ensure_tables")
    browser.implicitly_wait(PATIENCE)
    found = {link.get_attribute("href") or "" for link in browser.find_elements(By.CSS_SELECTOR, "ul.search a")}
    assert any("reference/" in link for link in found)
    assert any("reference/" not in link for link in found)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", ["index.html", "one-table.html", "reference/client.html", "performance.html"])
def test_page_fits_its_width(browser: webdriver.Chrome, address: str, page: str, width: str) -> None:
    """Text stays in the window, code scrolls by itself, and the narrow page has its menu behind a button."""
    browser.set_window_size(WIDTHS[width], 1000)
    browser.get(f"{address}/{page}")
    overflow = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    pictures = SITE.parent / "pictures"
    pictures.mkdir(exist_ok=True)
    browser.save_screenshot(str(pictures / f"{page.replace('/', '-')}-{width}.png"))
    assert overflow <= 0
    menu = browser.find_element(By.CSS_SELECTOR, ".mobile-header .nav-overlay-icon")
    assert menu.is_displayed() == (width == "narrow")
    if width == "narrow":
        menu.click()
        drawer = browser.find_element(By.CSS_SELECTOR, ".sidebar-drawer")
        WebDriverWait(browser, PATIENCE).until(lambda _: drawer.location["x"] >= 0)
        assert drawer.find_element(By.LINK_TEXT, "Reading").is_displayed()
