"""Refusals, in EasyPost's envelope and with its codes."""


class ApiError(Exception):
    def __init__(self, status, code, message, errors=()):
        super().__init__(code)
        self.status = status
        self.body = {"error": {"code": code, "message": message,
                               "errors": list(errors)}}


def required(*fields):
    return ApiError(422, "PARAMETER.REQUIRED", "Missing required parameter.",
                    [{"field": field, "message": "cannot be blank"} for field in fields])


def invalid(field, message):
    return ApiError(422, "PARAMETER.INVALID", "The parameter is invalid.",
                    [{"field": field, "message": message}])


def not_found(errors=None):
    return ApiError(404, "NOT_FOUND", "The requested resource could not be found.",
                    errors or [])


def unprocessable(code, message):
    return ApiError(422, code, message)


def malformed():
    return ApiError(400, "BAD_REQUEST",
                    "Malformed request. Please check the contents and retry.")


def unauthorized():
    return ApiError(401, "UNAUTHORIZED",
                    "Authentication failed. Please check your API key.")


def inactive_key():
    return ApiError(403, "APIKEY.INACTIVE",
                    "This api key is no longer active. Please use a different api key "
                    "or reactivate this key.")


def wrong_verb():
    return ApiError(405, "METHOD_NOT_ALLOWED",
                    "The requested method is not allowed for this resource.")


def rate_limited():
    return ApiError(429, "RATE_LIMITED",
                    "Too many requests. Please slow down and retry.")


def verify_failure():
    return ApiError(422, "ADDRESS.VERIFY.FAILURE", "Unable to verify address.",
                    [dict(ADDRESS_NOT_FOUND)])


ADDRESS_NOT_FOUND = {"code": "E.ADDRESS.NOT_FOUND", "field": "address",
                     "message": "Address not found", "suggestion": None}
