# CPU:        docker build -t gpucrust .
# NVIDIA GPU: docker build --build-arg EXTRA=cuda13 -t gpucrust:cuda .     (or EXTRA=cuda12)
# Use:        docker run --rm [--gpus all] -v "$PWD:/work" gpucrust run sweep.toml
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY gpucrust gpucrust
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
# the CUDA libraries come with the extra; the machine needs only the driver
ARG EXTRA=""
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir "$(echo /wheels/*.whl)${EXTRA:+[$EXTRA]}" \
    && useradd --create-home --uid 1000 crust \
    && mkdir /work && chown crust /work
COPY sweeps /opt/gpucrust/sweeps
# compiled programs and fonts are kept where any user may write
ENV JAX_COMPILATION_CACHE_DIR=/tmp/jax MPLCONFIGDIR=/tmp/matplotlib
USER 1000
WORKDIR /work
ENTRYPOINT ["gpucrust"]
CMD ["--help"]
