// Times and things in words.

/** Give a span of time as it is counted down: "9:05". */
export function clock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Give a span of time as it is read out. */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) {
    return `${whole} second${whole === 1 ? "" : "s"}`;
  }
  return `${Math.round(whole / 60)} minutes`;
}

/** Give names as a list: "a", "a and b", "a, b and 3 more". */
export function list(names) {
  if (names.length < 2) {
    return names.join("");
  }
  const shown = names.slice(0, names.length > 3 ? 2 : -1);
  const left = names.length - shown.length;
  return `${shown.join(", ")} and ${left > 1 ? `${left} more` : names.at(-1)}`;
}
