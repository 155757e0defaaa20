// What is kept in the browser. A browser may refuse storage; then things are kept until the page is closed.

const memory = new Map();

function read(storage, key) {
  try {
    const text = storage().getItem(key);
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return memory.get(key);
  }
}

function write(storage, key, value) {
  memory.set(key, value);
  try {
    if (value === undefined) storage().removeItem(key);
    else storage().setItem(key, JSON.stringify(value));
  } catch {
    // Full or forbidden: memory has it.
  }
}

const lasting = () => localStorage;
const passing = () => sessionStorage;

/** Settings and the last reader: kept until somebody clears the browser's data. */
export const device = {
  get: (name) => read(lasting, `fabula.${name}`),
  set: (name, value) => write(lasting, `fabula.${name}`, value),
};

/** The story under way: kept as long as the tab. It holds where the reader was, never the story's text. */
export const tab = {
  get: (name) => read(passing, `fabula.${name}`),
  set: (name, value) => write(passing, `fabula.${name}`, value),
};
