// The unary calls, and the errors of all calls.

const NO_CONNECTION = "NO_CONNECTION";

/** A call that failed: `reason` is an ErrorReason's name without prefix, or NO_CONNECTION. */
export class CallError extends Error {
  constructor(reason, { status = 0, fields = [] } = {}) {
    super(reason);
    this.reason = reason;
    this.status = status;
    this.fields = fields;
  }
}

const BY_STATUS = {
  400: "VALIDATION_FAILED", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
  429: "RATE_LIMITED", 502: "SHUTTING_DOWN", 503: "SHUTTING_DOWN", 504: NO_CONNECTION,
};

/** Reads a google.rpc.Status as JSON; a proxy in between may have answered something else. */
export function errorOf(status, body) {
  const details = Array.isArray(body?.error?.details) ? body.error.details : [];
  const reason = details.find((each) => each?.reason)?.reason ?? BY_STATUS[status] ?? "INTERNAL";
  const violations = details.flatMap((each) => each?.field_violations ?? each?.fieldViolations ?? []);
  return new CallError(shortName(reason), { status, fields: violations.map((each) => String(each.field)) });
}

/** "ERROR_REASON_X", "x" and "X" are the same reason. */
export function shortName(reason) {
  return String(reason).toUpperCase().replace(/^ERROR_REASON_/, "");
}

/** fetch, whose failures are CallErrors. An abort stays an abort. */
export async function send(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new CallError(NO_CONNECTION);
  }
  if (!answer.ok) throw errorOf(answer.status, await answer.json().catch(() => null));
  return answer;
}

async function call(method, path, body) {
  const options = { method, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await send(path, options);
  return answer.json().catch(() => {
    throw new CallError(NO_CONNECTION);
  });
}

const id = encodeURIComponent;

/** Every page of a list. */
async function all(path, key) {
  const found = [];
  let token = "";
  do {
    const answer = await call("GET", `${path}${path.includes("?") ? "&" : "?"}page_size=200&page_token=${id(token)}`);
    found.push(...(answer[key] ?? []));
    token = answer.next_page_token ?? "";
  } while (token);
  return found;
}

export const session = {
  /** Keeps the key in this browser, in a cookie that no script can read. */
  open: (token) => send("/session", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }),
  }),
};

export const children = {
  list: () => all("/api/v1/children", "children"),
  create: async (profile) => (await call("POST", "/api/v1/children", profile)).child,
  update: async (childId, changes) => (await call("PATCH", `/api/v1/children/${id(childId)}`, changes)).child,
  remove: (childId) => call("DELETE", `/api/v1/children/${id(childId)}`),
};

export const stories = {
  list: (childId) => all(`/api/v1/stories?child_id=${id(childId)}`, "stories"),
  get: async (storyId) => (await call("GET", `/api/v1/stories/${id(storyId)}`)).story,
  remove: (storyId) => call("DELETE", `/api/v1/stories/${id(storyId)}`),
};

export const runs = {
  get: async (runId) => (await call("GET", `/api/v1/runs/${id(runId)}`)).run,
  cancel: (runId) => call("POST", `/api/v1/runs/${id(runId)}:cancel`, {}),
};
