const NAME = /^[A-Za-z_][A-Za-z0-9_.:-]{0,63}$/;

/** Turns names into label values, and into `other` what is no name or one too many: a peer must not grow the metrics. */
export function boundedLabel(maxNames: number): (name: string) => string {
  const known = new Set<string>();
  return (name) => {
    if (known.has(name)) return name;
    if (known.size >= maxNames || !NAME.test(name)) return 'other';
    known.add(name);
    return name;
  };
}
