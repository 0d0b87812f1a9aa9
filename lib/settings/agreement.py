"""Where settings of two runs must agree, as the settings' own rules say."""

import dataclasses
from collections.abc import Callable, Iterator

from lib.settings.config import Config
from lib.settings.setting import Rules

# section, key, our value, the other's
Difference = tuple[str, str, object, object]


def _differences(ours: Config, other: Config, counts: Callable[[Rules], bool]) -> Iterator[Difference]:
    for section in dataclasses.fields(ours):
        pair = getattr(ours, section.name), getattr(other, section.name)
        for key in dataclasses.fields(pair[0]):
            values = tuple(getattr(part, key.name) for part in pair)
            if counts(key.metadata.get("rules", Rules())) and values[0] != values[1]:
                yield section.name, key.name, *values


def same_experiment(ours: Config, other: Config) -> bool:
    """Whether a run with the settings ``other`` may be resumed with ``ours``."""
    return not any(_differences(ours, other, lambda rules: rules.resume))


def weights_fit(ours: Config, other: Config, stage: str) -> bool:
    """Whether weights of a stage (``MODEL.name``) that were trained with ``other`` are of use with ``ours``.

    ``MODEL.name`` of ``ours`` may be that of a later stage.
    """
    ours = ours.changed(MODEL={"name": stage})
    return not any(_differences(ours, other, lambda rules: stage in (rules.fits or ())))


def followed(ours: Config, trained: Config) -> tuple[Config, list[str]]:
    """Settings that take from those of weights what decides the weights' meaning, and a line per change."""
    lines = []
    for section, key, _, value in list(_differences(ours, trained, lambda rules: rules.follow)):
        lines.append(f"{section}.{key}: {value}")
        ours = ours.changed(**{section: {key: value}})
    return ours, lines


def settings_of_test(cfg: Config, dataset: str) -> dict[str, dict[str, object]]:
    """What decides the figures of a test beside the weights.

    Args:
        cfg: settings of the test.
        dataset: name of its data set; settings of another one's section do not count.

    Returns:
        ``samples``, ``input`` and ``method`` (see ``Rules.tested``) -> ``SECTION.key`` -> value.
    """
    found: dict[str, dict[str, object]] = {"samples": {}, "input": {}, "method": {}}
    for section in dataclasses.fields(cfg):
        if section.name == "SYNTHETIC" and section.name != dataset.upper():
            continue
        part = getattr(cfg, section.name)
        for key in dataclasses.fields(part):
            decides = key.metadata.get("rules", Rules()).tested
            if decides:
                found[decides][f"{section.name}.{key.name}"] = getattr(part, key.name)
    found["samples"]["DATASET.test_list"] = [dataset]  # the others are not tested
    return found
