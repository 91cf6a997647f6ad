# syntax=docker/dockerfile:1
# Two stages: the first fills a virtual environment from the hash-pinned lock, the second carries it and nothing else.
ARG PYTHON=3.12-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /build
RUN python -m venv /uv && /uv/bin/pip install --no-cache-dir --disable-pip-version-check uv==0.13.8
COPY requirements.lock requirements-dev.lock ./
RUN /uv/bin/uv venv /opt/pakhus \
 && /uv/bin/uv pip sync --no-cache --python /opt/pakhus/bin/python --require-hashes --compile-bytecode requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN /uv/bin/uv pip install --no-cache --python /opt/pakhus/bin/python --no-deps --compile-bytecode \
    --build-constraints requirements-dev.lock .

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="Pakhus" \
      org.opencontainers.image.description="A universal artifact repository manager" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin pakhus \
 && install -d -o pakhus -g pakhus -m 0750 /data
COPY --from=build /opt/pakhus /opt/pakhus
# The root file system may be read-only: all state is below /data, temporary files below /tmp.
ENV PATH=/opt/pakhus/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8081
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8081/readyz', timeout=4)"]
ENTRYPOINT ["pakhus"]
CMD ["serve", "--data", "/data"]
