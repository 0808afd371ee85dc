/** The key of a payment: the rest of the address of its page, whether or not its colon is encoded. */
export function paymentKey(path: string): string {
  const rest = path.replace(/^\/pay\//, '');
  try {
    return decodeURIComponent(rest);
  } catch {
    return rest; // a lone % encodes nothing
  }
}
