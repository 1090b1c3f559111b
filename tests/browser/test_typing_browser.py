"""Entries alone, with models of their own: a number that is being typed stays, whatever Python says meanwhile."""

import pytest
from lab_browser import ALONE

from dcviz import labs
from dcviz.labkit.controls import NumberEntry

ENTRIES = {
    "number": (lambda: NumberEntry(0.5, 0, 100), "value", lambda x: x),
    "weights": (lambda: labs.GradientLab().view, "weights", lambda x: [x] * 16),
    "gradients": (lambda: labs.GradientLab().view, "gradients", lambda x: [x] * 16),
}
"""Its widget, the trait, and the trait's value where every number is x."""


@pytest.fixture(params=ENTRIES)
def entry(browser, request):
    """(the page, its first entry for the trait, the trait, what all numbers x are)."""
    make, trait, numbers = ENTRIES[request.param]
    widget, page = make(), browser.new_page()
    state = widget.get_state()
    page.evaluate(f"args => ({ALONE})(...args)", [state.pop("_esm"), state])
    yield page, page.locator("input").nth(16 if trait == "gradients" else 0), trait, numbers
    page.close()


def test_a_number_that_is_being_typed_stays_though_python_says_another(entry):
    page, field, trait, numbers = entry
    field.fill("0.")
    page.evaluate("pair => model.set(...pair)", [trait, numbers(9)])
    assert field.input_value() == "0."
    field.press("End")
    field.press("7")
    field.press("Tab")
    now, others = page.evaluate("trait => model.get(trait)", trait), numbers(9)
    assert now == (0.7 if trait == "value" else [0.7, *others[1:]])
    page.evaluate("pair => model.set(...pair)", [trait, numbers(8)])
    assert field.input_value() == "8"


def test_one_that_is_put_back_as_it_was_shows_what_python_has_said(entry):
    page, field, trait, numbers = entry
    before = field.input_value()
    field.focus()
    field.press("End")
    field.press("1")
    page.evaluate("pair => model.set(...pair)", [trait, numbers(9)])
    field.press("Backspace")
    assert field.input_value() == before
    field.press("Tab")
    assert field.input_value() == "9"
    assert page.evaluate("trait => model.get(trait)", trait) == numbers(9)


def test_a_number_that_was_taken_by_enter_follows_again(entry):
    page, field, trait, numbers = entry
    field.fill("0.7")
    field.press("Enter")
    page.evaluate("pair => model.set(...pair)", [trait, numbers(9)])
    assert field.input_value() == "9"


def words(page, field):
    """What an entry says of itself: beside it, or where the browser says it."""
    return field.evaluate("e => e.parentElement.querySelector('.dcviz-why')?.textContent ?? e.validationMessage")


def test_a_refusal_stays_though_python_answers_an_earlier_number(entry):
    page, field, trait, numbers = entry
    for leave in ("Enter", "Tab"):
        field.fill("abc")
        field.press(leave)
        assert "“abc” is no number." in words(page, field)
        others = numbers(9) if trait == "value" else [page.evaluate("trait => model.get(trait)[0]", trait), *[9] * 15]
        page.evaluate("pair => model.set(...pair)", [trait, others])
        assert field.input_value() == "abc"
        assert "“abc” is no number." in words(page, field)
        if trait == "value":
            assert words(page, field).endswith("It is still 9.")
            assert field.get_attribute("aria-invalid") == "true"
        field.fill("0.7")
        field.press("Enter")
        assert words(page, field) == ""
        page.evaluate("pair => model.set(...pair)", [trait, numbers(8)])


def test_a_refusal_goes_once_its_number_is_moved_by_other_means(entry):
    page, field, trait, numbers = entry
    field.fill("abc")
    field.press("Tab")
    page.mouse.click(700, 500)
    page.evaluate("pair => model.set(...pair)", [trait, numbers(8)])
    assert field.input_value() == "8"
    assert words(page, field) == ""


def test_a_refusal_goes_where_its_lab_is_reset(entry):
    page, field, *_ = entry
    before = field.input_value()
    field.fill("abc")
    field.press("Tab")
    assert field.input_value() == "abc"
    page.evaluate(
        """() => {
            const el = document.body.lastElementChild;
            const [lab, bar] = ["div", "p"].map((tag) => document.createElement(tag));
            lab.className = "dcviz-lab";
            el.replaceWith(lab);
            lab.append(el, bar);
            bar.dispatchEvent(new Event("dcviz-reset", { bubbles: true }));
        }"""
    )
    assert field.input_value() == before
    assert words(page, field) == ""
