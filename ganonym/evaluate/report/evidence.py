"""The evidence page for an ethics board: the findings without any trace of a single person.

It is made of numbers, dates, digests and the closed vocabulary of `wording`; no text of the assessment gets onto it
but the name that an assessor gave an attacker of their own, where that is a plain word (`wording.attacker_words`). So
no name of a subject, file or folder can, whatever the other fields contain. Texts that describe the release are
given beside it by whoever answers for them (`Published`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ganonym.evaluate.findings import Assessed, Control, Finding, Gate, GroupFinding, Inference, Utility, strongest
from ganonym.evaluate.protocol import TIERS
from ganonym.evaluate.report import figures, wording
from ganonym.evaluate.report.pages import limit_of, render
from ganonym.evaluate.report.tradeoff import measure_of, points_of, tradeoff
from ganonym.evaluate.report.wording import MINIMUM_CELL

_DIGEST = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"\d{1,4}(\.\d{1,5}){1,3}((a|b|rc|\.dev|\.post|\+cpu|\+cu)\d{0,4})?")
# No more digits than a limit needs: "> 4711" might be somebody's number.
_BOUND = re.compile(r"[≤≥] ?(?:0\.\d{1,3}|1\.0+|\d{1,2})(?:[ \u202f]?%)?(?![\w.])")
_AGES = re.compile(r"\d{1,3}(?: ?[-–] ?\d{1,3}|\+)")
_PACKAGES = (
    "ganonym", "python", "numpy", "scipy", "scikit-learn", "scikit-image", "pillow", "torch", "dlib", "dlib-bin",
    "onnxruntime", "face_recognition_models",
)  # fmt: skip
_RATES = ("G2", "G2b", "G3", "G4", "G6", "G8")
_SEXES = ("female", "male")


@dataclass(frozen=True, slots=True)
class Published:
    """Texts that a person has read and found fit for the public: they are shown as they are.

    `title` and `method` describe the release (`Assessed.declared`, where it comes from the release's own report).
    `groups` are names of groups, syndromes say, that may be shown; others are numbered.
    """

    title: str = ""
    method: str = ""
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """One row of the table of groups; `finding` None: too few people, or it would tell of a group with too few."""

    name: str
    finding: GroupFinding | None


def evidence_page(assessment: Assessed, published: Published | None = None) -> str:
    """The page as one HTML file without script or links outside. Rates of fewer than 11 people are left out."""
    a, said = assessment, published or Published()
    enough = a.counts.subjects >= MINIMUM_CELL
    findings = [finding for finding in a.findings if enough and finding.subjects >= MINIMUM_CELL]
    shown = a.model_copy(update={"findings": tuple(findings)})
    settings = {name: found for name, found in wording.by_setting(shown).items() if name in wording.SETTINGS}
    worst_of_all = strongest(finding for group in settings.values() for finding in group)
    worst = [found[0] for found in settings.values()]
    end = max((figures.axis_end([finding], limit_of(a, finding.setting)) for finding in worst), default=1.0)
    measure = measure_of([shown]) if enough else None
    points = [] if measure is None else points_of(shown, "this release", measure)
    axis = "" if measure is None else _measure_name(next(row for row in a.utility if row.name == measure))
    drawn = {
        "attackers": figures.attackers(worst, limit_of(a), "attackers", _setting, end) if worst else None,
        "tradeoff": tradeoff(points, axis, "tradeoff", limit=limit_of(a)) if points else None,
    }
    return render(
        "evidence.html.j2",
        drawn,
        a=a,
        said=said,
        enough=enough,
        policy=wording.POLICIES.get(a.policy, "a policy of the data holder"),
        limit=limit_of(a),
        settings=settings,
        tiers=[words for tier, words in TIERS.items() if any(finding.tier == tier for finding in findings)],
        strongest=worst_of_all,
        who=who,
        clean=next((control.value for control in a.controls if control.id == "C1" and enough), None),
        gates=[(gate, wording.GATES[gate.id], bounds(gate)) for gate in a.gates if gate.id in wording.GATES],
        controls=[
            (control, wording.CONTROLS[kind], _needed(control))
            for control in a.controls
            if (kind := control.id.split(".")[0]) in wording.CONTROLS
        ],
        groups=shown_groups(a.groups, said.groups) if enough else {},
        inferences=[
            (_inferred(inference), inference)
            for inference in a.inferences
            if enough and inference.subjects >= MINIMUM_CELL
        ],
        utility=[(_measure_name(row), row) for row in a.utility if enough],
        released=None if a.counts.photos == 0 else a.counts.released / a.counts.photos,
        digests={
            name: digest
            for name in ("originals", "released", "manifest", "policy")
            if _DIGEST.fullmatch(digest := getattr(a.provenance, name))
        },
        weights=sorted(digest for digest in a.provenance.weights.values() if _DIGEST.fullmatch(digest)),
        versions={
            name: version for name in _PACKAGES if _VERSION.fullmatch(version := a.provenance.versions.get(name, ""))
        },
    )


def who(finding: Finding) -> str:
    """What the attacker is, in words of the vocabulary; one from outside with its name, where that is a plain word."""
    return wording.attacker_words(finding.attacker, finding.tier)


def bounds(gate: Gate) -> str:
    """The numeric limit of a gate, rates in percent ("≤ 9 %"), empty where its condition is none of numbers."""
    found = _BOUND.findall(gate.limit)
    if gate.id in _RATES:
        found = [re.sub(r"0\.\d+", lambda share: f"{100 * float(share[0]):.3g}\u202f%", entry) for entry in found]
    return ", ".join(found)


def shown_groups(groups: Sequence[GroupFinding], named: frozenset[str] = frozenset()) -> dict[str, list[ShownGroup]]:
    """The rows that may be shown, by column: nothing that tells of a group with fewer than 11 people.

    Where the groups left out hold together fewer than 11 people, their rate could be told from the total; then the next
    smallest group is left out too.
    """
    columns: dict[str, list[ShownGroup]] = {}
    for column in dict.fromkeys(group.column for group in groups):
        rows = [group for group in groups if group.column == column]
        sizes = {row.group: row.subjects for row in rows}
        hidden = {name for name, size in sizes.items() if size < MINIMUM_CELL}
        for name in sorted(sizes, key=lambda group: sizes[group]):
            if not hidden or sum(sizes[group] for group in hidden) >= MINIMUM_CELL:
                break
            hidden.add(name)
        shown = [row for row in rows if row.group not in hidden]
        title = wording.COLUMNS.get(column, "Other column")
        for number, row in enumerate(shown, start=1):
            name = row.group if _may_be_named(row, named) else f"group {number}"
            columns.setdefault(title, []).append(ShownGroup(name, row if row.rank1 is not None else None))
        if hidden:
            columns.setdefault(title, []).append(ShownGroup("groups too small to be shown", None))
    return columns


def _may_be_named(group: GroupFinding, named: frozenset[str]) -> bool:
    if group.column == "sex":
        return group.group in _SEXES
    if group.column.startswith("age"):
        return _AGES.fullmatch(group.group) is not None
    return group.group in named


def _measure_name(utility: Utility) -> str:
    return wording.MEASURES.get(utility.name) or wording.FAMILIES.get(utility.family, "Another measure")


def _inferred(inference: Inference) -> str:
    if inference.kind != "attribute":
        return wording.KINDS[inference.kind].capitalize()
    return wording.COLUMNS.get(inference.name, "Another attribute")


def _needed(control: Control) -> str:
    return ", ".join(_BOUND.findall(control.needed))


def _setting(finding: Finding) -> str:
    return wording.SETTINGS[finding.setting][0]
