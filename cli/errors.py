"""What can go wrong for the user of the command line, by exit code.

CliError            1  it was tried and failed
├── BadInputError   2  what was asked for can't be done; nothing was started or changed
└── NotRunningError 3  there is no platform to talk to

Each message is one sentence for people. `cli.main` prints it to stderr and exits.
"""


class CliError(Exception):
    exit_code = 1


class BadInputError(CliError):
    exit_code = 2


class NotRunningError(CliError):
    exit_code = 3
