// One at a time: an older answer never comes after a newer one, and no wish is lost.

/**
 * Makes of `act` one that never runs twice at once: what is wished while it runs is done by one more run after it. Fulfilled when
 * no run is left. `act` must not throw.
 */
export function oneAtATime(act: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  let wished = false;
  const run = async () => {
    do {
      wished = false;
      await act();
    } while (wished);
    running = null;
  };
  return () => {
    wished = true;
    running ??= run();
    return running;
  };
}
