"""How good the faces are, on landmarks nobody trained on: `python benchmarks/quality.py`.

Two sets of requests: shapes sampled from the appearance model, and the normalised landmarks and tones of people who
trained nothing (evaluation only; nothing of them is stored). Each is drawn by the plain surrogate, by pix2pix
from lines alone (--lines FILE) and by the generator. Ceilings: the photographs themselves, cut out alike, of those
people and of training people. Half of the people are the reference of KID, precision and recall; requests come from the
other half, so no face is compared with its own shape.

Judges the generator's loss never saw: dlib's landmarks (`error`, in eye distances; with --network those of our own
network) and detector, dlib's recognizer (`train`: distance to the nearest training person), this project's encoder
(KID, precision, recall, variety).
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from faces import virtual_faces
from leakage import photos_of

from ganonym.evaluate.pictures import Measured, measure_pictures, on_neutral_backdrop, stress_shapes, subset
from ganonym.faces.align import crop, similarity
from ganonym.faces.appearance import AppearanceModel
from ganonym.faces.encoder import Encoder, encode, load_encoder
from ganonym.faces.find import find_faces, reading_backends
from ganonym.faces.landmark_network import NetworkLandmarks
from ganonym.faces.shape import normalize, to_canvas
from ganonym.faces.tone import ita_degrees, tone_class
from ganonym.photos.decode import read_photo
from ganonym.statistics.intervals import proportion
from ganonym.synthesis.generator import compose
from ganonym.synthesis.perceptual import Perceptual
from ganonym.synthesis.quality import Estimate, agreement, diversity, kernel_distance, nearest, precision_recall
from ganonym.synthesis.synthesizer import Synthesizer, load_synthesizer, plain_surrogate, surrogate_condition
from ganonym.types import CANVAS, RGB, TONES, Floats, Points, PrivateFace

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))
MATCH = 0.6  # dlib's own threshold for one person
SMILE = 0  # first expression direction
HEADER = (
    f"{'':30}{'n':>4} {'found':>5} {'score':>5} {'error':>6} {'95th':>6} {'bands, finest first':>23} "
    f"{'KID ×10³ [95 %]':>21} {'prec':>5} {'rec':>5} {'variety':>7} {'train':>6} {'<0.6':>5} {'smile r':>7} "
    f"{'sign':>5} {'tone off':>8}"
)


@dataclass(frozen=True)
class Photographs:
    """Photographs on the canvas, cut out, with their landmarks there, tones, and the people shown."""

    pictures: list[RGB]
    points: list[Points]
    tones: list[int]
    people: list[str]


def photographs(folder: str, model: AppearanceModel, limit: int, one_each: bool = False) -> Photographs:
    """The first `limit` photographs of a set in which a face is found, or people with `one_each`."""
    detector, landmarks = reading_backends()
    result = Photographs([], [], [], [])
    for photo in photos_of(DATA, folder):
        if len(result.people) >= limit or (one_each and photo.subject in result.people):
            continue
        rgb, _ = read_photo(DATA / folder, photo.name)
        if not (faces := find_faces(rgb, detector, landmarks)):
            continue
        points = to_canvas(normalize(faces[0].points, model.shape))
        canvas = crop(rgb, similarity(faces[0].points, points), CANVAS)
        result.pictures.append(on_neutral_backdrop(canvas, points, model))
        result.points.append(points)
        result.tones.append(tone_class(ita_degrees(rgb, faces[0].points)))
        result.people.append(photo.subject)
    return result


def encoder_alone(model: AppearanceModel, encoder: Encoder) -> str:
    """How well the judge itself tells people apart whom it never saw: two photographs years apart, cut out."""
    everybody = photographs("portraits", model, 10**6)
    features = encode(everybody.pictures, encoder)
    people = np.array(everybody.people)
    first = np.array([everybody.people.index(name) for name in dict.fromkeys(everybody.people)])
    probes = np.setdiff1d(np.arange(len(people)), first)
    named = people[first][(features[probes] @ features[first].T).argmax(axis=1)]
    rate = proportion(float((named == people[probes]).sum()), len(probes))
    return f"rank-1 {rate.value:.3f} [{rate.low:.3f}, {rate.high:.3f}] of {rate.n} among {len(first)} people"


def from_lines(face: PrivateFace, synthesizer: Synthesizer) -> RGB:
    """Pix2pix as it is usually done: the generator sees the parts of the face and no surrogate."""
    condition = surrogate_condition(face, synthesizer.model)[None]
    condition[:, :3] = 0
    with torch.inference_mode():
        picture = compose(condition, synthesizer.generator(condition).float())[0]
    return np.ascontiguousarray(((picture + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy())


@dataclass(frozen=True)
class Judge:
    """Measures sets of pictures against one reference and prints a row each."""

    look: Callable[[Sequence[RGB], Sequence[Points]], Measured]
    real: Floats | None
    trained: Floats | None
    lpips: Perceptual | None
    lpips_real: Floats | None
    rows: dict[str, dict[str, Any]]

    def row(self, name: str, seen: Measured, tones: Sequence[int | None], realism: bool = True) -> None:
        """Print and keep one row."""
        result = int(seen.found.sum())
        energy, error = np.nanmean(seen.bands, axis=0), seen.error[seen.found]
        features = seen.features * np.sqrt(seen.features.shape[1])
        kid = precision = recall = None
        if realism and self.real is not None:
            kid = kernel_distance(self.real, features, np.random.default_rng(0))
            precision, recall = precision_recall(self.real, features)
        near = nearest(seen.descriptors[seen.found], self.trained) if self.trained is not None else None
        smile, sign = agreement(seen.asked[seen.found, SMILE], seen.expression[seen.found, SMILE], 0.5)
        wanted = np.array([np.nan if tone is None else tone for tone in tones])
        off = float(np.nanmean(np.abs(seen.tone - wanted))) if np.isfinite(wanted).any() else float("nan")
        self.rows[name] = {
            "n": len(seen.found), "found": result, "score": float(np.nanmean(seen.score)),
            "error": float(error.mean()), "error_95": float(np.quantile(error, 0.95)), "bands": energy.tolist(),
            "kid": None if kid is None else [kid.value, kid.low, kid.high], "precision": precision, "recall": recall,
            "variety": diversity(seen.features), "smile_r": smile, "smile_sign": sign, "tone_off": off,
            "nearest_trained": None if near is None else float(np.median(near)),
            "matches_trained": None if near is None else int((near < MATCH).sum()),
            "expression_r": [agreement(a, b)[0] for a, b in zip(
                seen.asked[seen.found].T, seen.expression[seen.found].T, strict=True)],
        }  # fmt: skip
        print(
            f"{name:30}{len(seen.found):4d} {result:5d} {self.rows[name]['score']:5.2f} {error.mean():6.4f} "
            f"{self.rows[name]['error_95']:6.4f} {' '.join(f'{value:5.2f}' for value in energy)} {_kid(kid):>21} "
            f"{_number(precision)} {_number(recall)} {diversity(seen.features):7.2f} "
            f"{_number(self.rows[name]['nearest_trained'], 6)} {self.rows[name]['matches_trained'] or 0:5d} "
            f"{smile:7.2f} {sign:5.2f} {off:8.2f}",
            flush=True,
        )

    def perceptual(self, name: str, pictures: Sequence[RGB]) -> None:
        """Realism once more, in the features of LPIPS."""
        if self.lpips is None or self.lpips_real is None:
            return
        features = lpips_features(pictures, self.lpips)
        kid = kernel_distance(self.lpips_real, features, np.random.default_rng(0))
        precision, recall = precision_recall(self.lpips_real, features)
        self.rows[name] |= {"lpips_kid": [kid.value, kid.low, kid.high], "lpips_precision": precision,
                            "lpips_recall": recall}  # fmt: skip
        print(f"{'  in LPIPS features':30}{_kid(kid):>75} {precision:5.2f} {recall:5.2f}", flush=True)


def lpips_features(pictures: Sequence[RGB], network: Perceptual) -> Floats:
    """Mean over the picture of the unit-length activations of each layer, joined and brought to length √d: (n, d)."""
    rows = []
    with torch.inference_mode():
        for picture in pictures:
            image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
            layers = network.network.net(network.network.scaling_layer(image))
            unit = [layer / (layer.norm(dim=1, keepdim=True) + 1e-8) for layer in layers]
            rows.append(torch.cat([layer.mean(dim=(2, 3))[0] for layer in unit]).double().numpy())
    features = np.array(rows)
    return features / np.linalg.norm(features, axis=1, keepdims=True) * np.sqrt(features.shape[1])


def _kid(kid: Estimate | None) -> str:
    return "–" if kid is None else f"{1e3 * kid.value:.0f} [{1e3 * kid.low:.0f}, {1e3 * kid.high:.0f}]"


def _number(value: float | None, width: int = 5) -> str:
    return f"{'–':>{width}}" if value is None else f"{value:{width}.2f}"


def groups(faces: Sequence[PrivateFace]) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """Rows of the faces requested in each tone, sex and third of the ages."""
    ages = np.array([face.age or np.nan for face in faces])
    low, high = np.quantile(ages, [1 / 3, 2 / 3])
    chosen = {f"tone {tone}": np.array([face.tone == tone for face in faces]) for tone in range(TONES)}
    chosen |= {sex: np.array([face.sex == sex for face in faces]) for sex in ("female", "male")}
    thirds = (ages < low, (ages >= low) & (ages < high), ages >= high)
    return chosen | {f"age {ages[t].min():.0f}–{ages[t].max():.0f}": t for t in thirds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", type=Path, help="other weights than the bundled ones")
    parser.add_argument("--lines", type=Path, help="generator trained with the surrogate's channels zeroed")
    parser.add_argument("--lpips", type=Path, help="state of lpips.LPIPS(net='alex'), safetensors: realism in it too")
    parser.add_argument("--count", type=int, default=120, help="faces of each set, at most")
    parser.add_argument("--judge", action="store_true", help="first say how well the encoder itself recognises people")
    parser.add_argument("--network", action="store_true", help="our landmark network measures the error, not dlib's")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()
    synthesizer, count = load_synthesizer(arguments.generator), arguments.count
    model, encoder = synthesizer.model, load_encoder()
    detector, landmarks = reading_backends()
    if arguments.network:
        landmarks = NetworkLandmarks()
    look = partial(measure_pictures, model=model, detector=detector, landmarks=landmarks, encoder=encoder)
    draw: dict[str, Callable[[PrivateFace], RGB]] = {"surrogate": lambda face: plain_surrogate(face, model)}
    if arguments.lines:
        draw["lines alone"] = partial(from_lines, synthesizer=load_synthesizer(arguments.lines))
    else:
        print("row 'lines alone' left out: it needs weights trained with the surrogate zeroed (--lines FILE)")
    draw["generator"] = synthesizer.render
    lpips = Perceptual(arguments.lpips) if arguments.lpips else None
    if lpips is None:
        print("realism in LPIPS features left out: it needs a weights file (--lpips FILE)")
    rows: dict[str, dict[str, Any]] = {}
    judge = Judge(look, None, None, lpips, None, rows)
    held_out = photographs("portraits", model, 2 * count, one_each=True) if DATA.is_dir() else None
    if held_out is None:
        print(f"no photographs at {DATA} (set GANONYM_DATA): no reference, so no KID, precision, recall or ceiling")
    else:
        if arguments.judge:
            print(
                f"the encoder on photographs of people nobody trained on: {encoder_alone(model, encoder)}", flush=True
            )
        halves = [Photographs(*(getattr(held_out, name)[half::2] for name in Photographs.__dataclass_fields__))
                  for half in (0, 1)]  # fmt: skip
        trained = [photographs(name, model, 10**6) for name in ("london", "synthetic")]
        seen_trained = [look(entry.pictures, entry.points) for entry in trained]
        reference = look(halves[0].pictures, halves[0].points)
        descriptors = np.concatenate([entry.descriptors[entry.found] for entry in seen_trained])
        features = reference.features * np.sqrt(reference.features.shape[1])
        judge = replace(judge, real=features, trained=descriptors)
        if lpips is not None:
            judge = replace(judge, lpips_real=lpips_features(halves[0].pictures, lpips))
        print(
            f"reference: {len(features)} photographs of people nobody trained on; "
            f"{len(descriptors)} training photographs"
        )

    print(f"\nsampled shapes\n{HEADER}")
    faces = virtual_faces(count, model, seed=5)
    points, tones = [face.points for face in faces], [face.tone for face in faces]
    seen: Measured | None = None
    for name, render in draw.items():
        pictures = [render(face) for face in faces]
        seen = look(pictures, points)
        judge.row(name, seen, tones)
        judge.perceptual(name, pictures)
    assert seen is not None
    print("\nthe generator on sampled shapes, by what was asked for")
    for name, chosen in groups(faces).items():
        judge.row(name, subset(seen, chosen), [tone for tone, one in zip(tones, chosen, strict=True) if one], False)
    print("\nthe generator under stress")
    stressed: dict[str, list[PrivateFace]] = defaultdict(list)
    rng = np.random.default_rng(6)
    for face in faces[: count // 3]:
        for name, shape in stress_shapes(face.points, model.shape, rng).items():
            stressed[name].append(replace(face, points=shape))
    for name, asked in stressed.items():
        points = [face.points for face in asked]
        judge.row(name, look([synthesizer.render(face) for face in asked], points), [f.tone for f in asked], False)

    if held_out is not None:
        half = halves[1]
        print("\nlandmarks and tones of people nobody trained on")
        asked = [PrivateFace(p, t, None, None, 1000 + i) for i, (p, t) in
                 enumerate(zip(half.points, half.tones, strict=True))]  # fmt: skip
        for name, render in draw.items():
            pictures = [render(face) for face in asked]
            judge.row(f"{name}, their shapes", look(pictures, half.points), half.tones)
            judge.perceptual(f"{name}, their shapes", pictures)
        judge.row("their photographs (ceiling)", look(half.pictures, half.points), half.tones)
        judge.perceptual("their photographs (ceiling)", half.pictures)
        # Against themselves, so `train` and `<0.6` of these rows say nothing.
        for name, entry, one in zip(("london", "synthetic"), trained, seen_trained, strict=True):
            judge.row(f"photographs of {name}", one, entry.tones)
    if arguments.json:
        arguments.json.write_text(json.dumps({"count": count, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
