"""A WSGI application that answers after an hour."""
import time


def answer_late():
    time.sleep(3600)


def application(environ, start_response):
    answer_late()
    start_response("200 OK", [])
    return [b""]
