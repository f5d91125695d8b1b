"""Texts in 16 languages: a transformer's encoder in place of the recurrent network.

    penstock run pipelines/text_transformer.py
    penstock run pipelines/text_transformer.py --param blocks=2

Paths are relative to the project's root. The user code is `modules/text_transformer.py`; other nodes are
those of `pipelines/text.py`.
"""

from pipelines.text import languages

from penstock import LocalDagRunner, RuntimeParameter

blocks = RuntimeParameter("blocks", int, 1, "blocks of the encoder, one behind the other")

pipeline = languages("text_transformer", "modules/text_transformer.py", {"blocks": blocks})

if __name__ == "__main__":
    LocalDagRunner().run(pipeline)
