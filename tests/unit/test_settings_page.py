"""The page of settings in the docs is the one that the settings give."""

from tools.settings_page import PAGE, render


def test_the_page_of_settings_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == render(), "run `make docs`"
