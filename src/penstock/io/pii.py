"""Which features a schema marks as personal."""

from __future__ import annotations

from typing import Any

PERSONAL_TAG = "PII"
"""The tag of a feature's annotation in a schema: personally identifiable information."""


def personal_features(schema: Any) -> frozenset[str]:
    """Return the names of the features that a schema marks as personal, in any case: `PII`, `pii`.

    Args:
        schema: A `schema_pb2.Schema`, or None for none.

    Example:
        In `schema.pbtxt`:

            feature {
              name: "email"
              type: BYTES
              annotation { tag: "PII" }
            }
    """
    if schema is None:
        return frozenset()
    return frozenset(
        feature.name
        for feature in schema.feature
        if any(tag.strip().upper() == PERSONAL_TAG for tag in feature.annotation.tag)
    )
