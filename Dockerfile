# The image that SageMaker trains and serves with: it runs `docker run IMAGE train` and `docker run IMAGE serve`.
#
#   docker build -t scones .                                     heads on frozen backbones; serving
#   docker build -t scones-train --build-arg EXTRA=train .       fine-tuning too (torch with CUDA, some gigabytes)
#   docker build -t scones-serve --target serving .              serving alone, not as root

FROM python:3.11.14-slim-bookworm AS build
ARG EXTRA=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/scones
WORKDIR /build
COPY requirements.lock requirements-train.lock ./
RUN /opt/scones/bin/pip install --require-hashes -r requirements.lock \
 && if [ "$EXTRA" = train ]; then \
      /opt/scones/bin/pip install torch==2.13.0 \
   && /opt/scones/bin/pip install --require-hashes -r requirements-train.lock; \
    fi
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/scones/bin/pip install --no-deps .

FROM python:3.11.14-slim-bookworm AS base
COPY --from=build /opt/scones /opt/scones
# SageMaker keeps what is printed only if it is printed at once
ENV PATH=/opt/scones/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HF_HOME=/tmp/huggingface
WORKDIR /tmp
EXPOSE 8080
ENTRYPOINT ["scones"]
CMD ["--help"]

FROM base AS serving
USER 65534:65534

# last, so that it is what `docker build` makes: SageMaker gives /opt/ml to root when it trains
FROM base AS sagemaker
