# One image for every role: `docker run driftline:0.1.0 ingest|alerter|maintain`, `topics create`, `migrate`.
FROM python:3.12.12-slim-bookworm AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build

# The locks change less often than the code: their layers are kept.
COPY requirements-run.lock ./
RUN python -m venv /opt/driftline \
    && /opt/driftline/bin/pip install --require-hashes -r requirements-run.lock

COPY requirements.lock ./
RUN python -m venv /opt/builder \
    && /opt/builder/bin/pip install --require-hashes -r requirements.lock

COPY . .
RUN /opt/builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /build/wheel . \
    && /opt/driftline/bin/pip install --no-deps --no-index /build/wheel/*.whl


FROM python:3.12.12-slim-bookworm

RUN useradd --system --uid 10001 --create-home --home-dir /home/driftline driftline
COPY --from=build /opt/driftline /opt/driftline

ENV PATH=/opt/driftline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DRIFTLINE_METRICS_HOST=0.0.0.0 \
    DRIFTLINE_METRICS_PORT=9464
USER driftline
WORKDIR /home/driftline
EXPOSE 9464

HEALTHCHECK --interval=10s --timeout=5s --retries=3 --start-period=30s \
    CMD ["python", "-P", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9464/healthz', timeout=4)"]

ENTRYPOINT ["driftline"]
CMD ["--help"]
