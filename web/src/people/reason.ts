/** The bounds of the reason for acting as somebody else, in characters. The server has the same. */
export const leastReason = 10;
export const mostReason = 300;

/** Why a reason will not do, in words; null for one that will. */
export function reasonProblem(text: string): string | null {
  const length = [...text.trim()].length;
  if (length < leastReason) return `At least ${leastReason} characters: it is for the log, and for them to read.`;
  return length > mostReason ? `At most ${mostReason} characters.` : null;
}
