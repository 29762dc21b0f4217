# One service on the common base: `--build-arg SERVICE=order_processor`.
FROM trading-base
ARG SERVICE
COPY ${SERVICE} ${SERVICE}
ENV SERVICE=${SERVICE}
CMD ["sh", "-c", "exec python -m \"$SERVICE\""]
