"""The evidence page gives nobody away; the internal report shows what must be fixed; both say what they must say."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest
from invented import group, invented, pairs
from pydantic import BaseModel

from ganonym.evaluate.assessment import Assessment
from ganonym.evaluate.report.card import card
from ganonym.evaluate.report.evidence import Published, evidence_page, shown_groups
from ganonym.evaluate.report.pages import WorstPair, internal_page

CANARY = "Canary-0815 /mnt/Kanarie/IMG_4711.jpg ≤ 4711 ≤ 0.4711 <b>4711"
CHOSEN = {"verdict", "state", "decision", "kind"}  # of closed choices: the schema refuses anything else
KEPT = {"id", "setting", "column", "tier"}  # decide where a row goes; below they are planted one by one


def planted(value: Any, name: str, keep: frozenset[str] | set[str]) -> Any:
    """The same value with the canary for every text, keys of dictionaries included."""
    if isinstance(value, BaseModel):
        return value.model_copy(
            update={field: planted(getattr(value, field), field, keep) for field in type(value).model_fields}
        )
    if isinstance(value, tuple):
        return tuple(planted(entry, name, keep) for entry in value)
    if isinstance(value, dict):
        return {f"{CANARY} {key}": planted(entry, name, keep) for key, entry in value.items()}
    return CANARY if isinstance(value, str) and name not in keep else value


def canaries(page: str) -> list[str]:
    return [word for word in ("anary", "Kanarie", "IMG", "4711", "0815", "/mnt", ".jpg", "<b>") if word in page]


@pytest.mark.parametrize("also", [None, *sorted(KEPT)])
def test_no_text_of_the_assessment_reaches_the_evidence_page(also: str | None) -> None:
    assessment: Assessment = planted(invented(), "", CHOSEN | KEPT - {also} if also else CHOSEN | KEPT)
    page = evidence_page(assessment)
    assert canaries(page) == []
    assert "Sign-off" in page


@pytest.mark.parametrize(("name", "shown"), [("Mean-Brightness-2", True), (f"{'a' * 40}-4711", False), (CANARY, False)])
def test_an_attacker_from_outside_has_its_plain_name(name: str, shown: bool) -> None:
    assessment = invented()
    worst = assessment.worst
    assert worst is not None
    page = evidence_page(assessment.model_copy(update={"findings": (worst.model_copy(update={"attacker": name}),)}))
    assert (name in page) is shown
    assert canaries(page) == []


def test_limits_are_shown_as_numbers() -> None:
    page = evidence_page(invented())
    assert "≤ 9\u202f%" in page
    assert "limit 9\u202f%" in page
    assert "≥ 0.80" in page


def test_the_canaries_would_be_seen() -> None:
    page = internal_page(planted(invented(), "", CHOSEN))
    assert {"anary", "Kanarie", "IMG", "4711", "0815"} <= set(canaries(page))
    assert "<b>" not in page, "escaped"


def test_no_picture_and_no_subject_is_on_the_evidence_page_but_on_the_internal_one() -> None:
    inside = internal_page(invented(), pairs(3))
    outside = evidence_page(invented())
    for number, pair in enumerate(pairs(3)):
        assert pair.original_uri in inside
        assert pair.released_uri in inside
        assert f"person-{number}/1.png" in inside
        assert f"person-{number}" not in outside
    assert "<img" not in outside
    assert "data:image" not in outside.replace("img-src data:", "")


def test_texts_approved_for_the_public_are_shown() -> None:
    page = evidence_page(invented(), Published("Portraits of 2026", "k-same with k = 11", frozenset({"white"})))
    assert all(word in page for word in ("Portraits of 2026", "k-same with k = 11", "white"))
    assert "black" not in page


def test_pictures_of_pairs_must_be_png() -> None:
    with pytest.raises(ValueError, match="no PNG"):
        WorstPair(b"GIF89a", b"GIF89a", "dlib", "same photo", "a", "a.png")


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ((40, 30, 32), (40, 30, 32)),
        ((40, 30, 5), (40,)),  # 5 could be told from the total: the next smallest goes too
        ((40, 6, 5), (40,)),  # together 11
        ((40, 5, 5), ()),
        ((12, 3), ()),
        ((10, 9, 8), ()),
    ],
)
def test_small_groups_and_what_would_tell_of_them_are_left_out(sizes: tuple[int, ...], shown: tuple[int, ...]) -> None:
    rows = tuple(group("syndrome", f"label {index}", size, 1) for index, size in enumerate(sizes))
    result = shown_groups(rows, frozenset({f"label {index}" for index in range(9)}))["Syndrome"]
    assert tuple(entry.finding.subjects for entry in result if entry.finding) == shown
    names = [entry.name for entry in result]
    assert [name for name in names if name.startswith("label")] == [f"label {sizes.index(size)}" for size in shown]
    assert ("groups too small to be shown" in names) == (shown != sizes)


def test_of_fewer_than_eleven_people_no_rate_is_given() -> None:
    page = evidence_page(invented(n=10))
    assert rates(page) == []
    assert "fewer than 11 people" in page
    assert rates(evidence_page(invented(n=11))) != []


def rates(page: str) -> list[str]:
    """Cells of numbers in the tables, and figures; limits and checks' bounds are no rates."""
    cells = re.findall(r'<td class="n">([^<]*)</td>', page)
    return [cell for cell in cells if re.search(r"\d", cell) and not cell.startswith(("≤", "≥"))] + re.findall(
        "<svg", page
    )


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.opened: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(page: str) -> Text:
    parser = Text()
    parser.feed(page)
    parser.close()
    return parser


def text_of(page: str) -> str:
    return " ".join(" ".join(parsed(re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)).words).split())


@cache
def pages(**changes: Any) -> dict[str, str]:
    """The three pages of an invented assessment."""
    a = invented(**changes)
    return {"internal": internal_page(a, pairs(1)), "evidence": evidence_page(a), "card": card(a)}


@pytest.mark.parametrize("state", ["PASS", "FAIL", "INCONCLUSIVE", "NOT EVALUATED"])
def test_the_verdict_comes_first(state: str) -> None:
    for page in pages(verdict=state).values():
        body = text_of(page[page.index("<body>") :]) if "<body>" in page else page.removeprefix("# ")
        assert body.lstrip("✓✕?– ").startswith(state)


def test_simulated_people_are_announced() -> None:
    for simulated in (True, False):
        for name, page in pages(simulated=simulated).items():
            assert ("SIMULATED" in page) is simulated, name


def test_forbidden_words_are_not_printed() -> None:
    for page in pages().values():
        said = re.sub(r"base64,[^\"]+", "", page)
        assert not re.search(r"anonymous|GDPR|compliant", said, re.IGNORECASE)


def test_sections_of_the_evidence_follow_the_template_of_the_agencies() -> None:
    heads = re.findall(r"<h2[^>]*>\d+\. ([^<]+)</h2>", evidence_page(invented()))
    assert heads == [
        "Data", "Identifiers", "Method", "Threats tested", "Initial risk", "Threshold", "Residual risk", "Utility",
        "Limits", "Validity", "Sign-off",
    ]  # fmt: skip


def test_pages_are_self_contained_and_described() -> None:
    for name in ("internal", "evidence"):
        page = pages()[name]
        tags = parsed(page).opened
        assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in tags}
        assert sum(tag == "style" for tag, _ in tags) == 1
        for tag, attributes in tags:
            for key in ("src", "href", "xlink:href", "srcset", "action"):
                assert (attributes.get(key) or "#").startswith(("#", "data:image/png;base64,")), (tag, attributes)
            if tag == "img":
                assert attributes.get("alt")
        assert not re.search(r"url\((?!#)|@import", page)
        ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        linked = [attributes["href"] for tag, attributes in tags if tag == "a"]
        assert {entry[1:] for entry in linked if entry} <= set(ids)
        assert '<html lang="en">' in page
        assert "default-src 'none'" in page
        assert page.count("<h1") == 1


def test_pages_are_the_same_each_time() -> None:
    assert pages.__wrapped__() == pages()


def test_an_empty_assessment_has_pages_too() -> None:
    nothing = {
        "findings": (),
        "gates": (),
        "controls": (),
        "inferences": (),
        "groups": (),
        "utility": (),
        "warnings": (),
    }
    for page in pages(**nothing, verdict="NOT EVALUATED").values():
        assert "NOT EVALUATED" in page


def test_the_internal_report_holds_the_numbers() -> None:
    a = invented()
    said = text_of(internal_page(a))
    for finding in a.findings:
        assert finding.attacker in said
        assert f"{100 * finding.rank1.upper:.1f}" in said
    for gate in a.gates:
        assert gate.reason in said


def test_the_card_is_one_page_of_markdown() -> None:
    text = card(invented(title="A | B <script> *c*"))
    assert len(text.splitlines()) < 60
    assert "<script" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {6, 7}


def test_every_numbered_control_is_listed() -> None:
    page = evidence_page(invented())
    assert "Planted leaks are found" in page
