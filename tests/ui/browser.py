"""A Chromium without a window, and the pages of Airflow's web interface that the tour clicks through."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

T = TypeVar("T")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)
# Seconds to wait for what takes a second on an idle machine.
PATIENCE = 120.0
# Colors of a screenshot: few, so that a picture has few kilobytes.
COLORS = 128


def wait_for(what: str, look: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """Look until there is something, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(NoSuchElementException, StaleElementReferenceException, IndexError):
            if found := look():
                return found
        time.sleep(0.3)
    raise AssertionError(f"no {what} within {seconds:.0f} s")


@dataclass(frozen=True)
class Browser:
    """The browser, on Airflow's pages.

    :param driver: of Chromium.
    :param url: of Airflow.
    :param pictures: folder for screenshots.
    """

    driver: webdriver.Chrome
    url: str
    pictures: Path

    def open(self, path: str) -> None:
        """Open a page of Airflow."""
        self.driver.get(f"{self.url}{path}")

    def find(self, css: str, text: str = "", seconds: float = PATIENCE) -> WebElement:
        """Return the first element that has a text, in its content or its label, once it is shown."""

        def look() -> WebElement | None:
            for element in self.driver.find_elements(By.CSS_SELECTOR, css):
                label = f"{element.text} {element.get_attribute('aria-label') or ''}"
                if text in label and element.is_displayed() and element.is_enabled():
                    return element
            return None

        return wait_for(f"{css} with {text!r} on {self.driver.current_url}", look, seconds)

    def click(self, css: str, text: str = "") -> None:
        """Click an element once it is shown."""

        def click() -> bool:
            try:
                self.find(css, text).click()
            except WebDriverException as error:
                if "click intercepted" in str(error):
                    return False
                raise
            return True

        wait_for(f"{css} with {text!r} to click", click)

    def fill(self, css: str, value: str) -> None:
        """Replace what an input has."""
        field = self.find(css)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(Keys.DELETE)
        field.send_keys(value)

    def shows(self, *texts: str) -> str:
        """Wait until the page shows all of the texts, and return all of its text."""

        def look() -> str | None:
            text = self.driver.find_element(By.TAG_NAME, "body").text
            return text if all(one in text for one in texts) else None

        return wait_for(f"text {texts} on {self.driver.current_url}", look)

    def answer(self) -> str:
        """Return what Airflow answers in the corner of the page, once the title is followed by a message."""
        selector = "[data-scope=toast][data-part=root]"
        texts = [element.text for element in self.driver.find_elements(By.CSS_SELECTOR, selector)]
        return next((text for text in texts if "\n" in text), "")

    def picture(self, name: str) -> None:
        """Keep a screenshot of what is shown, as a small file."""
        time.sleep(1)  # until what moves has come to rest
        self.pictures.mkdir(parents=True, exist_ok=True)
        image = Image.open(BytesIO(self.driver.get_screenshot_as_png())).convert("RGB")
        few = image.quantize(COLORS, dither=Image.Dither.NONE)
        few.save(self.pictures / f"{name}.png", optimize=True)


@contextmanager
def chromium(profile: Path, url: str, pictures: Path) -> Iterator[Browser]:
    """Run a browser with a new profile."""
    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, map(shutil.which, BROWSERS)))
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.set_page_load_timeout(PATIENCE)
        yield Browser(driver, url, pictures)
    finally:
        driver.quit()
