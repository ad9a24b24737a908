# CPU: docker build -t gpucrust .      NVIDIA GPU: docker build --build-arg EXTRA=cuda13 -t gpucrust .
FROM python:3.12-slim
ARG EXTRA=""
WORKDIR /opt/gpucrust
COPY pyproject.toml README.md LICENSE ./
COPY gpucrust gpucrust
RUN pip install --no-cache-dir ".${EXTRA:+[$EXTRA]}" && useradd --create-home crust
COPY sweeps sweeps
USER crust
WORKDIR /home/crust
ENTRYPOINT ["gpucrust"]
CMD ["--help"]
