import re

from penstock.cards.trial_charts import hyperparameter_chart, parallel_coordinates, score_chart


def trial(number, score, **values):
    return {"trial_id": str(number), "score": score, "hyperparameters": values}


TRIALS = [
    trial(2, 0.1, rate=1e-3, units=8, act="relu"),
    trial(0, 0.4, rate=1e-1, units=8, act="elu"),
    trial(1, 0.9, rate=1e-5, units=8, act="relu", depth=2),
]


def places(markup, kind):
    return [
        (float(x), float(y))
        for x, y in re.findall(rf'<circle class="dot {kind}" cx="([\d.]+)" cy="([\d.]+)"', markup)
    ]


def test_scores_in_the_order_of_the_trials_and_the_best_so_far():
    drawn = str(score_chart(TRIALS))
    (best,) = places(drawn, "s1")
    others = places(drawn, "s0")
    assert [x for x, _ in others] == sorted(x for x, _ in others)
    assert best[0] > others[1][0]  # the third to begin
    assert best[1] > others[0][1] > others[1][1]  # downwards is less
    line = re.search(r'series s1" points="([^"]+)"', drawn)
    heights = [float(point.split(",")[1]) for point in line[1].split()]
    assert heights[0] == heights[2] < heights[-1]  # the second trial was no better
    assert "trial 2: score 0.1; rate 0.001, units 8, act relu" in drawn


def test_a_hyperparameter_over_powers_of_ten_and_choices():
    (best,), others = (
        places(str(hyperparameter_chart("rate", TRIALS)), kind) for kind in ("s1", "s0")
    )
    left, right = sorted(x for x, _ in others)
    assert abs((left + right) / 2 - best[0]) < 0.1  # 1e-3 is half way from 1e-5 to 1e-1
    choices = str(hyperparameter_chart("act", TRIALS))
    assert choices.index(">elu<") < choices.index(">relu<")
    assert len(places(str(hyperparameter_chart("depth", TRIALS)), "s0")) == 1
    assert len(places(str(hyperparameter_chart("units", TRIALS)), "s0")) == 2


def test_a_line_for_each_trial_through_what_it_has():
    drawn = str(parallel_coordinates(["rate", "units", "act", "depth"], TRIALS))
    lines = re.findall(r'<polyline class="series (s\d)" points="([^"]+)"', drawn)
    assert [(colour, len(points.split())) for colour, points in lines] == [
        ("s0", 5),
        ("s0", 4),
        ("s1", 4),
    ]
    assert ">score<" in drawn
