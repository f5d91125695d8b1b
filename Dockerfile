# The image that runs every node of a project on Kubeflow, and `penstock` itself anywhere else.
#
#   docker build -t penstock:latest .
#   docker run --rm penstock:latest penstock run pipelines/penguin.py
#
# Where PyPI is not reached directly, pip's own settings are build arguments:
#   docker build --build-arg PIP_INDEX_URL=... --build-arg PIP_CERT=... -t penstock:latest .
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
ARG EXTRAS=run,serving
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_CERT
ARG PIP_DEFAULT_TIMEOUT=60
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/penstock
WORKDIR /src
# The dependencies are a layer of their own: it stays as long as pyproject.toml stays.
COPY pyproject.toml README.md ./
RUN --mount=type=cache,target=/root/.cache/pip \
    mkdir -p src/penstock && touch src/penstock/__init__.py \
    && /opt/penstock/bin/pip install --no-compile ".[${EXTRAS}]" \
    && /opt/penstock/bin/pip uninstall --yes --quiet penstock-ml \
    && rm -rf build src
# Byte code: without it each container spends 15 s on importing TensorFlow. Some packages carry files
# of other Pythons, which do not compile.
RUN /opt/penstock/bin/python -m compileall -q -q -j 0 /opt/penstock/lib || true
COPY src src
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/penstock/bin/pip install --no-deps --compile .

FROM ${PYTHON_IMAGE}
RUN useradd --create-home --uid 10001 --shell /usr/sbin/nologin penstock \
    && mkdir /app && chown penstock:penstock /app
COPY --from=build /opt/penstock /opt/penstock
ENV PATH=/opt/penstock/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TF_CPP_MIN_LOG_LEVEL=2
WORKDIR /app
COPY --chown=penstock:penstock pyproject.toml ./
COPY --chown=penstock:penstock pipelines pipelines
COPY --chown=penstock:penstock modules modules
COPY --chown=penstock:penstock data data
USER penstock
# No ENTRYPOINT: Kubeflow and its local runner give the whole command.
CMD ["penstock", "--help"]
