"""Which model is which: the folders of an evaluation by the names of its ModelSpecs; without NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.evaluation.keys import BASELINE
from penstock.evaluation.resolve import baseline_names, resolve_config
from penstock.spelling import nearest

Folders = str | Mapping[str, str]
"""One model's folder, or several by the names of their ModelSpecs."""


def resolved_with_folders(
    config: Any, model: Folders | None, baseline: Folders | None
) -> tuple[Any, dict[str, str]]:
    """Return an EvalConfig as it is for the models that there are, and their folders by name.

    Args:
        config: An `EvalConfig` without problems.
        model: The folder of the evaluated model, or folders by name if there are several. One folder
            stands for all ModelSpecs that are no baseline, which may call other signatures of it. None
            where predictions are columns of the examples: then folders are empty.
        baseline: The same for what they are compared with. A baseline of the EvalConfig that is not among
            several is left out, as all are without any.

    Raises:
        ValueError: If a name is not one of a ModelSpec, or a model is missing.
    """
    if model is None:
        has_baseline = any(spec.is_baseline for spec in config.model_specs)
        resolved = resolve_config(config, has_baseline=has_baseline)
        return resolved, {spec.name: "" for spec in resolved.model_specs}
    baselines = _baselines(config, baseline)
    resolved = resolve_config(
        config,
        has_baseline=bool(baselines),
        baselines=list(baselines) if isinstance(baseline, Mapping) else None,
    )
    known = baseline_names(resolved)
    if not known and baselines:
        names = ", ".join(spec.name for spec in resolved.model_specs)
        raise ValueError(
            f"There is a baseline model, but none of the ModelSpecs ({names}) has is_baseline=True."
        )
    if len(known) > 1 and not isinstance(baseline, Mapping):
        raise ValueError(
            f"There are several baselines ({', '.join(known)}). Give their models by name: "
            f"baseline={{{known[0]!r}: folder, ...}}. Received: {baseline!r}"
        )
    if not isinstance(baseline, Mapping):
        baselines = dict.fromkeys(known, next(iter(baselines.values()), ""))
    candidates = [spec.name for spec in resolved.model_specs if spec.name not in known]
    if isinstance(model, str):
        return resolved, {**dict.fromkeys(candidates, model), **baselines}
    _refuse_unknown("model", model, candidates)
    if missing := [name for name in candidates if name not in model]:
        raise ValueError(
            f"There is no model for the ModelSpec {missing[0]!r}. Received: model={dict(model)!r}"
        )
    return resolved, {**model, **baselines}


def _baselines(config: Any, baseline: Folders | None) -> dict[str, str]:
    if baseline is None:
        return {}
    if isinstance(baseline, str):
        return {BASELINE: baseline}
    if len(config.model_specs) > 1:
        _refuse_unknown("baseline", baseline, baseline_names(config))
    return dict(baseline)


def _refuse_unknown(what: str, given: Mapping[str, str], names: list[str]) -> None:
    for name in given:
        if name not in names:
            raise ValueError(
                f"No ModelSpec is named {name!r}, which {what} has a folder for."
                f"{nearest(name, names)} Names: {', '.join(names) or 'none'}"
            )
