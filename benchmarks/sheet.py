"""From what was measured to the lines of the page: ratios of each round, their medians, and what is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median

from benchmarks.ledger import Ledger
from benchmarks.machine import GFLOP
from benchmarks.plan import COMPARED, GROWN, SAMPLED, Plan
from benchmarks.report import Row
from benchmarks.worker import Found
from concept_lib.vocabulary import load_vocabulary

MILLION = 1_000_000
NEEDED_SPEED = {"bf16": 3.8, "fp32": 2.1}
SAME = 1e-4
ROUNDING = 0.02  # of the adjusted Rand index: how much below the seed's counts as no worse


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the page.

    Parameters
    ----------
    row
        Title, form, and what is needed.
    value
        What was measured; None where it was not.
    sides
        Ours and the seed's.
    clock
        A ratio of CPU-seconds by the clock instead.
    """

    row: Row
    value: float | None
    sides: tuple[str, str] = ("", "")
    clock: float | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """All lines of a plan.

    Parameters
    ----------
    plan
        What was to be measured.
    ledger
        What was.
    device
        What a GPU gave, as `benchmarks.gpu` found it; empty without one.
    """

    plan: Plan
    ledger: Ledger
    device: Found = field(default_factory=dict)

    def lines(self) -> list[Line]:
        """In the order of the page."""
        made = [*self._embedded()]
        for images in self.plan.images:
            made += self._fitted(images)
        return [*made, *self._pictured(), *self._refreshed(), *self._grown(), *self._device()]

    def rounds(self, key: str, side: str = "") -> list[Found]:
        """What each round gave."""
        found: list[Found] = []
        stem = f"{key}-{side}" if side else key
        while (one := self.ledger.find(f"{stem}-{len(found)}")) is not None:
            found.append(one)
        return found

    def middle(self, key: str, side: str, name: str, figure: str) -> float | None:
        """Median of a figure over the rounds."""
        values = [one[name][figure] for one in self.rounds(key, side)]
        return median(values) if values else None

    def ratio(self, key: str, side: str, name: str, figure: str = "cpu") -> float | None:
        """How many times as much the seed takes: the median of the rounds' ratios."""
        pairs = zip(self.rounds(key, "seed"), self.rounds(key, side), strict=False)
        ratios = [seed[name][figure] / max(ours[name][figure], 1e-3) for seed, ours in pairs]
        return median(ratios) if ratios else None

    def seed_run(self, figure: str) -> float | None:
        """Seconds of the seed's whole path over the largest collection, and what each part is a sum of.

        Images and nouns that were not embedded count as those that were.
        """
        images = self.plan.largest
        embedded, count = self._largest_embedding()
        parts = [
            (self.middle(embedded, "seed", "embed", figure), images / count),
            (
                self.middle("nouns", "seed", "words", figure),
                len(load_vocabulary("nouns").words) / self.plan.nouns,
            ),
            (self.middle(f"fit-{images}", "seed", "cold", figure), 1.0),
            (self.middle(f"cluster-{images}", "seed", "exemplars", figure), 1.0),
            (self.middle("collages", "seed", "collages", figure), 1.0),
            (self.middle("labels", "seed", "labels", figure), 1.0),
        ]
        seconds = [value * times for value, times in parts if value is not None]
        return sum(seconds) if len(seconds) == len(parts) else None

    def _largest_embedding(self) -> tuple[str, int]:
        count = self.plan.largest if self.plan.once else self.plan.pictures["640x427"]
        return f"embed-640x427-{count}", count

    def _embedded(self) -> Iterator[Line]:
        counts = [*self.plan.pictures.items(), *([("640x427", self.plan.largest)] if self.plan.once else [])]
        for name, count in dict.fromkeys(counts):
            key, title = f"embed-{name}-{count}", f"JPEG {name} to vector, {count:,} images"
            seed = _rate(self._rate(key, "seed", count))
            for precision, needed in NEEDED_SPEED.items():
                own = _rate(self._rate(key, precision, count))
                row = Row("", f"{title}: {precision}, times the seed's by the clock", needed, form=".2f")
                yield Line(row, self.ratio(key, precision, "embed", "wall"), (own, seed))
                row = Row("", f"{title}: {precision}, share of the GEMM limit", 0.8, form=".2f")
                yield Line(row, self._share(key, precision, count), (own, ""))
            apart = self.ledger.find(f"{key}-apart-0") or {}
            row = Row("", f"{title}: fp32, largest 1 − cosine to the seed's", SAME, form=".0e", lower=True)
            yield Line(row, apart.get("fp32"))
            yield Line(
                Row("", f"{title}: bf16, largest 1 − cosine to the seed's", form=".0e"), apart.get("bf16")
            )
        row = Row("", f"{self.plan.nouns:,} nouns to vectors", form=".1f")
        yield self._seconds(row, "nouns", "words")

    def _fitted(self, images: int) -> Iterator[Line]:
        key = f"fit-{images}"
        many = f"{images:,} vectors"
        yield self._seconds(Row("", f"fit, {many}: a cold process", 1.6, form=".1f"), key, "cold")
        yield self._seconds(Row("", f"fit, {many}: warm", 1.5, form=".1f"), key, "warm")
        row = Row("", f"fit, {many}: ARI to the truth, images of clusters, less the seed's", -ROUNDING)
        yield self._gap(row, key, "ari")
        yield self._gap(Row("", f"fit, {many}: the same, background and all"), key, "ari_all")
        plane = self.middle(key, "ours", "map", "cpu")
        row = Row("", f"the map, {many}: CPU-seconds, beside the fit", form=".1f")
        yield Line(row, plane, ("" if plane is None else f"{plane:.2f} CPU-s", "has none"))
        yield self._seconds(Row("", f"HDBSCAN, {many}", 8, form=".1f"), f"cluster-{images}", "cluster")
        yield self._seconds(Row("", f"exemplars, {many}", form=".1f"), f"cluster-{images}", "exemplars")
        key, title = f"ctfidf-{images}", f"c-TF-IDF, {many}, {self.plan.words:,} words"
        yield self._seconds(Row("", title, 8, form=".1f"), key, "ctfidf")
        sides = [self.middle(key, side, "ctfidf", "peak_mb") for side in ("ours", "seed")]
        row = Row("", f"{title}: peak memory, GB", 1, form=".2f", lower=True)
        own, seed = ("" if side is None else f"{side / 1e3:.2f} GB" for side in sides)
        yield Line(row, None if sides[0] is None else sides[0] / 1e3, (own, seed))

    def _pictured(self) -> Iterator[Line]:
        yield self._seconds(
            Row("", "150 collages of 8 pictures, 640x427", 6, form=".1f"), "collages", "collages"
        )
        row = Row("", f"labels of 150 concepts by cosine, {self.plan.words:,} words", 3, form=".1f")
        yield self._seconds(row, "labels", "labels")

    def _refreshed(self) -> Iterator[Line]:
        many, added = f"{self.plan.largest:,} images", self.plan.added
        found = self.ledger.find("refresh") or {}
        figures = {name: found.get(name, {}) for name in ("first", "unchanged", "added")}
        row = Row("", f"nothing changed, {many}: process time, s", 6, form=".1f", lower=True)
        yield Line(row, figures["unchanged"].get("cpu"), (_both_seconds(figures["unchanged"]), ""))
        row = Row("", f"nothing changed, {many}: images opened", 1, form=".0f", lower=True)
        yield Line(row, found.get("opened"))
        row = Row("", f"{added} more, {many}: seconds in all", 15, form=".1f", lower=True)
        yield Line(row, figures["added"].get("wall"), (_both_seconds(figures["added"]), ""))
        row = Row("", f"{added} more, {many}: times the seed's whole run", 50, form=".0f")
        ratios: dict[str, float | None] = {}
        for figure in ("cpu", "wall"):
            whole, ours = self.seed_run(figure), figures["added"].get(figure)
            ratios[figure] = whole / ours if whole is not None and ours else None
        seed = {figure: self.seed_run(figure) for figure in ("cpu", "wall")}
        yield Line(row, ratios["cpu"], (_both_seconds(figures["added"]), _both_seconds(seed)), ratios["wall"])
        row = Row("", f"the first refresh, {many}: CPU-seconds", form=".0f")
        yield Line(row, figures["first"].get("cpu"), (_both_seconds(figures["first"]), ""))

    def _grown(self) -> Iterator[Line]:
        found = {
            images: (self.ledger.find(f"{GROWN}-{images}") or {}).get("grow") for images in self.plan.growth
        }
        for images, figures in found.items():
            row = Row("", f"{images:,} given vectors to clusters: CPU-seconds", form=".0f")
            own = f"{_both_seconds(figures)}, {figures['peak_mb'] / 1e3:.1f} GB" if figures else ""
            yield Line(row, figures and figures["cpu"], (own, ""))
        if MILLION in self.plan.growth:
            less, more = found.get(COMPARED), found[MILLION]
            ratios = [more[name] / less[name] if less and more else None for name in ("cpu", "wall")]
            row = Row(
                "", "given vectors, from 100,000 to 1,000,000: growth of the time", 12, form=".1f", lower=True
            )
            yield Line(row, ratios[0], clock=ratios[1])
            row = Row("", "1,000,000 given vectors: peak memory, GB", 12, form=".1f", lower=True)
            yield Line(row, more["peak_mb"] / 1e3 if more else None)
            same = self.ledger.find(f"agreement-{COMPARED}") or {}
            row = Row("", "100,000 given vectors, a quarter of them fitted: ARI to the fit of all")
            yield Line(row, same.get("ari"))
            part = (self.ledger.find(f"{SAMPLED}-{COMPARED}") or {}).get("grow")
            row = Row("", "100,000 given vectors, a quarter of them fitted: CPU-seconds", form=".0f")
            yield Line(row, part and part["cpu"], (_both_seconds(part or {}), ""))

    def _device(self) -> Iterator[Line]:
        found = self.device
        if found:
            row = Row("", f"{found['device']}: JPEG 640x427 to vector, images/s", 4000, form=".0f")
            yield Line(row, found.get("jpeg"))
            row = Row("", f"{found['device']}: the model alone, images/s", 15_000, form=".0f")
            yield Line(row, found.get("model"))

    def _seconds(self, row: Row, key: str, name: str) -> Line:
        """A step on both sides: its ratio in CPU-seconds is what counts."""
        own, seed = (
            _both_seconds({figure: self.middle(key, side, name, figure) for figure in ("cpu", "wall")})
            for side in ("ours", "seed")
        )
        value, clock = (self.ratio(key, "ours", name, figure) for figure in ("cpu", "wall"))
        return Line(row, value, (own, seed), clock)

    def _gap(self, row: Row, key: str, name: str) -> Line:
        """A figure of both sides, medians of the rounds, and their difference."""
        values = [[one[name] for one in self.rounds(key, side)] for side in ("ours", "seed")]
        own, seed = (median(side) if side else None for side in values)
        gap = own - seed if own is not None and seed is not None else None
        cells = tuple("" if side is None else f"{side:.3f}" for side in (own, seed))
        return Line(row, gap, (cells[0], cells[1]))

    def _rate(self, key: str, side: str, count: int) -> float | None:
        seconds = self.middle(key, side, "embed", "wall")
        return None if seconds is None else count / seconds

    def _share(self, key: str, precision: str, count: int) -> float | None:
        """Images a second as a share of what matrix products alone would allow, measured in the same round."""
        shares = []
        for number, one in enumerate(self.rounds(key, precision)):
            limit = self.ledger.find(f"matrix-{number}")
            if limit:
                shares.append(count / one["embed"]["wall"] / (limit[precision] / GFLOP))
        return median(shares) if shares else None


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} images/s"


def _both_seconds(figures: Mapping[str, float | None]) -> str:
    """CPU-seconds, and seconds by the clock.

    Examples
    --------
    >>> _both_seconds({"cpu": 12.3456, "wall": 7.1}), _both_seconds({})
    ('12.35 CPU-s, 7.10 s', '')
    """
    cpu, wall = figures.get("cpu"), figures.get("wall")
    return "" if cpu is None or wall is None else f"{cpu:.2f} CPU-s, {wall:.2f} s"
