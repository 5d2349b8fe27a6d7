# The image that SageMaker trains and serves with: it runs `docker run IMAGE train` and `docker run IMAGE serve`.
#
#   docker build -t scones .                                     heads on frozen backbones; serving
#   docker build -t scones-train --build-arg EXTRA=train .       fine-tuning too (torch with CUDA, some gigabytes)
#   docker build -t scones-serve --target serving .              serving alone, never as root
#   docker build … --build-arg EXTRA=tracing .                   with OpenTelemetry's traces
#
# SageMaker gives /opt/ml to root when it trains, and starts both commands as the image's user, so that is root here.
# `serve` gives root up by itself once the model is loaded, before it answers anybody.

# a mirror of Docker's own images, from which builds in the cloud may pull as often as they like
ARG REGISTRY=public.ecr.aws/docker/library/

FROM ${REGISTRY}python:3.11.14-slim-bookworm AS build
ARG EXTRA=""
# wheels alone: nothing is compiled, here neither
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all:
RUN python -m venv /opt/scones
WORKDIR /build
COPY requirements.lock requirements-train.lock requirements-tracing.lock ./
RUN /opt/scones/bin/pip install --require-hashes -r requirements.lock \
 && if [ "$EXTRA" = train ]; then /opt/scones/bin/pip install torch==2.13.0; fi \
 && if [ -n "$EXTRA" ]; then /opt/scones/bin/pip install --require-hashes -r "requirements-$EXTRA.lock"; fi
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/scones/bin/pip install --no-deps . && /opt/scones/bin/pip uninstall --yes pip

FROM ${REGISTRY}python:3.11.14-slim-bookworm AS base
COPY --from=build /opt/scones /opt/scones
# SageMaker keeps what is printed only if it is printed at once
ENV PATH=/opt/scones/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HF_HOME=/tmp/huggingface
WORKDIR /tmp
EXPOSE 8080
# of `serve`; SageMaker asks /ping by itself
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.getenv('SAGEMAKER_BIND_TO_PORT', '8080') + '/ping', timeout=4)"]
# exec form: the command is the container's first process, and gets SIGTERM itself
ENTRYPOINT ["scones"]
CMD ["--help"]

FROM base AS serving
USER 65534:65534

# last, so that it is what `docker build` makes
FROM base AS sagemaker
