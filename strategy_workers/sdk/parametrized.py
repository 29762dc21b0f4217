"""A class that declares parameters: what it is given is checked before anything runs."""

from collections.abc import Mapping
from typing import Any, ClassVar

from strategy_workers.sdk.parameters import (
    FieldError,
    InvalidParametersError,
    Parameter,
    ParameterError,
)


class Parametrized:
    name: ClassVar[str] = ""

    def __init__(self, parameters: Mapping[str, object]) -> None:
        """`parameters` are complete and checked: what `parse_parameters` returned."""
        self.parameters: dict[str, Any] = dict(parameters)

    def check_parameters(self) -> None:
        """Raise ParameterError when valid parameters don't go together."""

    @classmethod
    def declared_parameters(cls) -> dict[str, Parameter[Any]]:
        """By name, in the order of declaration, inherited ones last."""
        return {
            name: value
            for owner in cls.__mro__
            for name in vars(owner)
            if isinstance(value := getattr(cls, name), Parameter)
        }

    @classmethod
    def parse_parameters(cls, given: Mapping[str, object]) -> dict[str, object]:
        """All parameters, defaults filled in; raises InvalidParametersError with each fault."""
        declared = cls.declared_parameters()
        errors = [
            FieldError(name, f"{cls.name or cls.__name__} has no parameter of this name")
            for name in given
            if name not in declared
        ]
        values: dict[str, object] = {}
        for name, parameter in declared.items():
            try:
                values[name] = parameter.parse(given[name]) if name in given else parameter.default
            except ValueError as error:
                errors.append(FieldError(name, str(error)))
        if errors:
            raise InvalidParametersError(*errors)
        try:
            cls(values).check_parameters()
        except ParameterError as error:
            raise InvalidParametersError(FieldError(error.field, error.message)) from error
        return values

    @classmethod
    def encode_parameters(cls, values: Mapping[str, object]) -> dict[str, object]:
        """As JSON values that `parse_parameters` takes."""
        declared = cls.declared_parameters()
        return {name: declared[name].encode(value) for name, value in values.items()}

    @classmethod
    def parameters_schema(cls) -> dict[str, object]:
        declared = cls.declared_parameters()
        return {
            "type": "object",
            "properties": {name: parameter.schema() for name, parameter in declared.items()},
            "additionalProperties": False,
        }
