# The image that runs every node of a project on Kubeflow, and `penstock` itself anywhere else.
#
#   penstock image build --name penstock          # tags by content; --variant gpu, tpu, slim
#   docker build -t penstock:latest .
#   docker run --rm penstock:latest penstock run pipelines/penguin.py
#
# Where PyPI is not reached directly, pip's own settings are build arguments:
#   docker build --build-arg PIP_INDEX_URL=... --build-arg PIP_CERT=... -t penstock:latest .

# `penstock image build` adds the digest that image.lock has for this tag.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim

FROM ${PYTHON_IMAGE} AS dependencies
# cpu, gpu (TensorFlow with CUDA's libraries), tpu (JAX with libtpu), or slim: no TensorFlow, for
# nodes that ingest, describe and validate data.
ARG VARIANT=cpu
# What is added to each: drivers of stores, file systems, what talks to a cluster.
ARG EXTRAS=replicas,postgres,mysql,s3,gcs
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
    case "$VARIANT" in \
      cpu) extras=run,serving,sklearn,gcp ;; \
      gpu) extras=run,serving,sklearn,gcp,cuda ;; \
      tpu) extras=run,serving,sklearn,gcp,tpu ;; \
      slim) extras=data ;; \
      *) echo "VARIANT is cpu, gpu, tpu or slim. Received: $VARIANT" >&2; exit 2 ;; \
    esac \
    && mkdir -p src/penstock && touch src/penstock/__init__.py \
    && /opt/penstock/bin/pip install --no-compile ".[$extras${EXTRAS:+,$EXTRAS}]" \
    && if [ "$VARIANT" = slim ]; then \
      # tfx-bsl asks for TensorFlow and Beam; its coders and sketches need neither.
      /opt/penstock/bin/python -c "import tomllib; \
known = tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']; \
print(next(each for each in known['run'] if each.startswith('tfx-bsl')))" > /tmp/without-dependencies \
      && /opt/penstock/bin/pip install --no-compile --no-deps -r /tmp/without-dependencies; \
    fi \
    && /opt/penstock/bin/pip uninstall --yes --quiet penstock-ml \
    # C++ headers, for those who compile operations of their own: 0.4 GB.
    && rm -rf build src /opt/penstock/lib/python3*/site-packages/tensorflow/include \
      /opt/penstock/lib/python3*/site-packages/pyarrow/include
# Byte code: without it each container spends 15 s on importing TensorFlow. Some packages carry files
# of other Pythons, which do not compile.
RUN /opt/penstock/bin/python -m compileall -q -q -j 0 /opt/penstock/lib || true

FROM dependencies AS package
# Arguments end with their stage.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_CERT
ARG PIP_DEFAULT_TIMEOUT=60
COPY src src
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/penstock/bin/pip wheel --no-deps --wheel-dir /wheels .

FROM ${PYTHON_IMAGE}
RUN useradd --create-home --uid 10001 --shell /usr/sbin/nologin penstock \
    && mkdir /app && chown penstock:penstock /app
COPY --from=dependencies /opt/penstock /opt/penstock
RUN --mount=type=bind,from=package,source=/wheels,target=/wheels \
    /opt/penstock/bin/pip install --no-cache-dir --no-index --no-deps --compile /wheels/*.whl
ENV PATH=/opt/penstock/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TF_CPP_MIN_LOG_LEVEL=2
WORKDIR /app
COPY --chown=penstock:penstock pyproject.toml ./
COPY --chown=penstock:penstock pipelines pipelines
COPY --chown=penstock:penstock modules modules
COPY --chown=penstock:penstock data data
# By number: `runAsNonRoot` cannot see that a name is not root's.
USER 10001
# No ENTRYPOINT: Kubeflow and its local runner give the whole command.
CMD ["penstock", "--help"]
