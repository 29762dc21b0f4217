/** An error body of the gateway (RFC 9457), or what stands for one when there was no answer. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly errors: readonly { field: string; message: string }[] = [],
  ) {
    super(detail);
  }

  /** What is wrong with one field of the request body. */
  field(name: string): string | undefined {
    return this.errors.find((error) => error.field.split(".").includes(name))?.message;
  }
}

export async function problemOf(response: Response): Promise<Problem> {
  const { status } = response;
  try {
    const body = (await response.json()) as {
      code?: string;
      detail?: string;
      errors?: { field: string; message: string }[] | null;
    };
    return new Problem(
      status,
      body.code ?? `http_${status}`,
      body.detail ?? `The server answered ${status}.`,
      body.errors ?? [],
    );
  } catch {
    return new Problem(status, `http_${status}`, `The server answered ${status}.`);
  }
}

export function unreachable(): Problem {
  return new Problem(0, "unreachable", "The server can't be reached. Check the connection.");
}

/** The sentence to show for anything that was thrown. */
export function sentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // What begins with a file's name keeps it as it is.
  const named = /^[^\s,:]+\.\w/.test(text);
  const first = named ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
