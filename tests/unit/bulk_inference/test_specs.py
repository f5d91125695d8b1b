import pytest

from penstock.bulk_inference import (
    ClassifyOutput,
    DataSpec,
    ModelSpec,
    OutputColumnsSpec,
    OutputExampleSpec,
    PredictOutput,
    PredictOutputCol,
    RegressOutput,
)

VALUE = RegressOutput("value")


def test_the_default_signature():
    assert ModelSpec().signatures == ("serving_default",)
    assert ModelSpec(["a", "b"]).signatures == ("a", "b")


def test_columns_by_signature():
    one = OutputColumnsSpec(regress_output=VALUE)
    assert OutputExampleSpec([one]).by_signature(["any"]) == {"any": one}
    named = OutputColumnsSpec("b", classify_output=ClassifyOutput("label"))
    assert OutputExampleSpec([one, named]).by_signature(["b", "serving_default"]) == {
        "serving_default": one,
        "b": named,
    }
    assert named.columns == ("label",)
    assert named.method == "classify"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ModelSpec("serving_default"),
            "ModelSpec.model_signature_name is a list of names. Rec",
        ),
        (lambda: ModelSpec(["a", "a"]), "names 'a' twice"),
        (lambda: DataSpec([""]), "DataSpec.example_splits is a list of names"),
        (lambda: ModelSpec(signature=["a"]), "ModelSpec takes no argument 'signature'"),
        (lambda: PredictOutput([]), "is a list of PredictOutputCol"),
        (lambda: PredictOutputCol("", "a"), "needs an output_key"),
        (ClassifyOutput, "needs a label_column, a score_column or both"),
        (lambda: RegressOutput(""), "needs a value_column"),
        (OutputColumnsSpec, "takes exactly one of classify_output, regress_output, predict_output"),
        (
            lambda: OutputColumnsSpec(regress_output=VALUE, classify_output=ClassifyOutput("a")),
            "Received: classify_output and regress_output",
        ),
        (lambda: OutputExampleSpec([]), "is a list of OutputColumnsSpec"),
        (
            lambda: OutputExampleSpec(
                [
                    OutputColumnsSpec("a", regress_output=VALUE),
                    OutputColumnsSpec("b", regress_output=VALUE),
                ]
            ),
            "Two outputs go to the column 'value'",
        ),
        (
            lambda: OutputExampleSpec([OutputColumnsSpec("a", regress_output=VALUE)]).by_signature(
                ["b"]
            ),
            "is for the signature 'a', which is not called. Called: b",
        ),
        (
            lambda: OutputExampleSpec([OutputColumnsSpec("a", regress_output=VALUE)]).by_signature(
                ["a", "b"]
            ),
            "The signature 'b' is called, but no OutputColumnsSpec is for it",
        ),
    ],
)
def test_what_is_wrong_is_named(make, message):
    with pytest.raises((TypeError, ValueError)) as raised:
        make()
    assert message in str(raised.value)
