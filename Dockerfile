# Any base with Python 3.11 or newer and pip will do, such as one of your own, by its digest.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
# Where packages come from, if not from PyPI; this stage's arguments are not in the image. What the base trusts is trusted.
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ENV PATH=/uv/bin:$PATH UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 \
    VIRTUAL_ENV=/opt/connector
# Into a folder of its own, which is all that a Python of the distribution's grants pip.
RUN python3 -m pip install --no-cache-dir --root-user-action=ignore --target /uv uv==0.13.9 && uv venv /opt/connector
WORKDIR /build
COPY pyproject.toml requirements.lock ./
# What `run` needs of the lock, at its versions and with its hashes: resolving without the development tools drops them.
RUN uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --output-file requirements.lock \
    pyproject.toml && uv pip sync --no-cache --require-hashes requirements.lock
COPY README.md LICENSE ./
COPY connector connector
# uv's own lock file is one that anybody may write.
RUN uv pip install --no-cache --no-deps . && rm -f /opt/connector/.lock

FROM ${BASE}
COPY --from=build /opt/connector /opt/connector
ENV PATH=/opt/connector/bin:$PATH PYTHONUNBUFFERED=1
# Where a volume belongs, if the mapping makes documents of several tables: a new one takes the folder's owner.
RUN install -d -m 0700 -o 65532 -g 65532 /var/lib/replenit-connector
# By number, so that a platform can see that it is not root. All else in the image is root's: the file system may be
# read-only.
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["replenit-connector", "health"]
# It stops within SHUTDOWN_TIMEOUT, 50 s: give it more than that (docker run --stop-timeout 60).
ENTRYPOINT ["replenit-connector"]
CMD ["run"]
