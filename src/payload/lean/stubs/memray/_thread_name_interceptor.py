"""memray's descriptor that hears of threads' names, without typing."""


class ThreadNameInterceptor:
    def __init__(self, attr, callback):
        self._attr = attr
        self._callback = callback

    def __set__(self, instance, value):
        instance.__dict__[self._attr] = value
        ident = instance.__dict__.get("_ident")
        name = instance.__dict__.get("_name")
        if ident is not None and name is not None:
            self._callback(ident, name)
