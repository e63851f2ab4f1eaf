// A browser of which only as much exists as loading needs: addresses, timers, and a `fetch` that answers what a test tells it to.

/** A question that waits for its answer. */
export interface Asked {
  /** What it asks for: the endpoint behind api/v1/. */
  endpoint: string;
  query: URLSearchParams;
  signal: AbortSignal | null;
  answer(body: unknown, status?: number): Promise<void>;
  /** Answered by text that need not be JSON. */
  say(text: string): Promise<void>;
  /** The server is not reached. */
  fail(): Promise<void>;
}

/** Lets all that waits for nothing but promises go on. */
export const settle = (): Promise<void> => new Promise((done) => setImmediate(done));

/** Timers that run when a test says so. */
export class Timers {
  private readonly waiting = new Map<number, { act: () => void; at: number; each: number }>();
  private last = 0;
  private now = 0;

  readonly set = (act: () => void, wait = 0): number => this.add(act, wait, 0);
  readonly repeat = (act: () => void, each: number): number => this.add(act, each, each);
  readonly clear = (timer: number): void => void this.waiting.delete(timer);

  /** How many are waiting. */
  get count(): number {
    return this.waiting.size;
  }

  /** Lets so many milliseconds pass. */
  async pass(ms: number): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      const [next] = [...this.waiting].filter(([, timer]) => timer.at <= until).sort((a, b) => a[1].at - b[1].at);
      if (!next) break;
      const [id, timer] = next;
      this.now = timer.at;
      if (timer.each) timer.at += timer.each;
      else this.waiting.delete(id);
      timer.act();
      await settle();
    }
    this.now = until;
  }

  private add(act: () => void, wait: number, each: number): number {
    this.last += 1;
    this.waiting.set(this.last, { act, at: this.now + wait, each });
    return this.last;
  }
}

/** What a test has of the browser. */
export interface Browser {
  /** Every question so far, the first one first. */
  asked: Asked[];
  timers: Timers;
  /** Questions of one endpoint. */
  of(endpoint: string): Asked[];
  /** Something happens to the window or the document. */
  happen(event: string): Promise<void>;
  online: boolean;
  /** How often the page was loaded again. */
  reloads: number;
}

/** Begins anew with a browser that has asked nothing. */
export function browser(): Browser {
  const timers = new Timers();
  const listeners: [string, () => void][] = [];
  const listen = (event: string, act: () => void) => void listeners.push([event, act]);
  const made: Browser = {
    asked: [],
    timers,
    of: (endpoint) => made.asked.filter((one) => one.endpoint === endpoint),
    happen: async (event) => {
      for (const [name, act] of listeners) if (name === event) act();
      await settle();
    },
    online: true,
    reloads: 0,
  };
  const define = (name: string, value: unknown) => Object.defineProperty(globalThis, name, { value, configurable: true });
  define("window", {
    setTimeout: timers.set,
    clearTimeout: timers.clear,
    setInterval: timers.repeat,
    addEventListener: listen,
    innerWidth: 1000,
  });
  define("devicePixelRatio", 1);
  define("document", { baseURI: "http://test/", hidden: false, addEventListener: listen });
  define("navigator", {
    get onLine() {
      return made.online;
    },
  });
  define("location", {
    reload: () => {
      made.reloads += 1;
    },
  });
  define("fetch", (url: string, { signal = null }: { signal?: AbortSignal | null } = {}) => {
    const { pathname, searchParams } = new URL(url);
    return new Promise<Response>((give, refuse) => {
      if (signal?.aborted) refuse(signal.reason);
      signal?.addEventListener("abort", () => refuse(signal.reason));
      const reply = async (body: BodyInit | null, status: number) => {
        give(new Response(body, { status }));
        await settle();
      };
      made.asked.push({
        endpoint: pathname.replace("/api/v1/", ""),
        query: searchParams,
        signal,
        answer: (body, status = 200) => reply(body instanceof ReadableStream ? body : JSON.stringify(body), status),
        say: (text) => reply(text, 200),
        fail: async () => {
          refuse(new TypeError("Failed to fetch"));
          await settle();
        },
      });
    });
  });
  return made;
}
