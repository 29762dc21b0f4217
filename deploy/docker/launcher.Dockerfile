# The launcher of strategy workers as an image, with the clients of Docker and Kubernetes:
#   docker build -t trading-worker-launcher -f deploy/docker/launcher.Dockerfile .
FROM trading-strategy-workers
USER root
COPY requirements-launchers.lock /tmp/
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --quiet \
      --require-hashes -r /tmp/requirements-launchers.lock
USER trading
CMD ["python", "-m", "strategy_workers.launchers"]
