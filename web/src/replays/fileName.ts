/** As near to the name as the gateway takes: it has letters, digits and `._-`. */
export function marketFileName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]+/g, "_").slice(-128);
  return plain.replace(/^[._-]+/, "") || "trades";
}
