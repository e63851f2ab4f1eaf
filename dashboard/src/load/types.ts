// Made from the API's OpenAPI document by dashboard/api_types.py. Do not edit: change the document and run it again.

export type Error = {
  error: {
    /** for programs */
    code: string;
    /** for people */
    message: string;
    /** what to do */
    hint?: string;
    /** the parameter that is wrong */
    parameter?: string;
    /** names like the one that is not known */
    nearest?: string[];
  };
};

export type Channel = {
  /** sensor.channel */
  series: string;
  channel: string;
  unit: string;
  kind: "gauge" | "counter" | "angle" | "state";
  heartbeat_s: number;
  labels: Record<string, string>;
  /** places of its resolution, as the configuration says */
  decimals: number | null;
  /** the most places that its values came with, as far as is known */
  seen_decimals: number | null;
  /** lowest and highest possible value, as far as the configuration says; beyond is fail:gross_range */
  valid: (number | null)[] | null;
  /** since when it is not configured any more */
  retired: number | null;
};

export type Sensor = {
  sensor: string;
  /** what its thread is doing */
  state: string;
  health: "ok" | "waiting" | "stale" | "reconnecting" | "failed" | "finished" | "stopped" | "disabled" | "not running";
  /** when the state began */
  since: number | null;
  /** time of the newest reading */
  last: number | null;
  age_s: number | null;
  error: string | null;
  counters: Record<string, number>;
  channels: Channel[];
};

export type SensorState = {
  sensor: string;
  state: string;
  health: "ok" | "waiting" | "stale" | "reconnecting" | "failed" | "finished" | "stopped" | "disabled" | "not running";
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  last: number | null;
  age_s: number | null;
  error: string | null;
};

export type Reading = {
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  time: number;
  sensor: string;
  channel: string;
  value: number | null;
  unit: string;
  quality: string;
};

export type Latest = {
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  time: number;
  sensor: string;
  channel: string;
  value: number | null;
  unit: string;
  quality: string;
  age_s: number;
  state: "ok" | "stale";
};

export type ReadingColumns = {
  sensor: string;
  channel: string;
  unit: string;
  time: number[];
  value: (number | null)[];
  quality: string[];
};

export type Bucket = {
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  time: number;
  sensor: string;
  channel: string;
  count: number;
  coverage: number;
};

export type Buckets = {
  sensor: string;
  channel: string;
  unit: string;
  kind: string;
  /** the length of a bucket */
  step: string;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  since: number;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  until: number;
  source: "readings" | "rollups" | "rollups+readings";
  /** the stored resolution that answered for most of it */
  resolution: string;
  notes: string[];
  rows?: Bucket[];
  time?: number[];
  count?: (number | null)[];
  coverage?: number[];
};

export type Unreadable = {
  series: string;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  since: number;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  until: number;
};

export type Event = {
  id: number;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  time: number;
  kind: string;
  sensor: string | null;
  detail: string;
};

export type Alarm = {
  alarm: string;
  /** sensor.channel; of events the sensor, or nothing */
  series: string;
  severity: "info" | "warning" | "critical";
  /** as ISA-18.2 names it */
  state: string;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  since: number;
  value: number | null;
  unit: string;
  condition: string;
  /** the number of a comparison that is in the unit of the series */
  limit: number | null;
  /** that of its clear */
  clear_limit: number | null;
  /** how often so far */
  raised: number;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  last_raised: number | null;
  /** of one that is shelved */
  until: number | null;
  detail: string;
  note: string;
  text: string;
};

export type Mend = {
  /** its number, for undo */
  mend: number;
  series: string;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  made: number;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  since: number;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  until: number;
  what: string;
  note: string;
  readings: number;
  /** done, waiting, under way, taken back ... */
  state: string;
};

export type Mended = {
  mend: number;
  readings: number;
  /** false: the daemon goes on with it */
  done: boolean;
  series?: string;
};

export type Panel = {
  name: string;
  /** the part of the address of the dashboard that begins with #/ */
  view: string;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  saved: number;
  /** as in panels.json */
  saved_us: number;
};

export type Cost = {
  series: string;
  /** its name under prices: */
  tariff: string;
  currency: string;
  unit: string;
  time: number[];
  increase: number[];
  cost: number[];
  /** of the increase, what no price is known for */
  unpriced: number[];
};

export type Database = {
  bytes: number;
  wal_bytes: number;
  /** in the file, to be used again */
  free_bytes: number;
  disk_free_bytes: number;
  /** time of the oldest reading */
  first: number | null;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  last: number | null;
  series: number;
  events: number;
  mends: number;
  /** as in the last day; null: too little is known yet */
  readings_per_day: number | null;
  /** what these and their roll-ups take, about */
  bytes_per_day: number | null;
  /** old readings expire already: it does not grow by all of that */
  expires: boolean;
  /** when the disk is full, as it grows now; null: not within a century, or not known */
  full: number | null;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  moved_until: number | null;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  rolled_up_until: number | null;
  /** of series, that wait to be rolled up anew, about */
  hours_to_roll_up: number;
  /** bytes of each part of the file, if parts=1 asks for them and SQLite can tell */
  parts: Record<string, number> | null;
  incidents: {
    name: string;
    /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
    time: number;
    reason: string;
    bytes: number;
    salvaged: boolean;
  }[];
};

export type AlarmPeriod = {
  alarm: string;
  /** as of Alarm */
  series: string;
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  since: number;
  /** null: not yet over at the end of the range */
  until: number | null;
};

export type Daemon = {
  /** running, blocked, hung, stopped, crashed or never started */
  state_now: string;
  explanation: string;
  version?: string;
  /** writing, blocked, stopped ... */
  state?: string;
  /** why it is not writing; empty while it is */
  state_reason?: string;
  started_us?: number;
  /** readings since the start */
  committed?: number;
  /** 0: none since the start */
  last_commit_us?: number;
  /** how long it took */
  last_commit_ms?: number;
  late?: number;
  repeated?: number;
  shifted?: number;
  /** readings that wait to be stored */
  inbox_depth?: number;
  /** how many may wait */
  inbox_limit?: number;
  rollup_state?: string;
  /** empty: none */
  rollup_error?: string;
  web_state?: string;
  web_restarts?: number;
  clock?: {
    /** how the clock is judged */
    sentence: string;
  };
  /** long work that is not over */
  work?: {
    id: number;
    kind: string;
    done: number;
    total: number;
    outcome: string;
  }[];
  /** what has not started, and why */
  parts?: Record<string, string>;
  /** what of this machine does not fit the configuration */
  findings?: string[];
};

export type Status = {
  /** RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us) */
  now: number;
  daemon: Daemon;
  database: {
    path: string;
    bytes: number;
    wal_bytes: number;
  };
  sensors: SensorState[];
  config_errors: string[];
  /** whether readings may be flagged and notes written here */
  changes: boolean;
};

/** What each endpoint answers. */
export type Answers = {
  sensors: {
    sensors: Sensor[];
  };
  latest: {
    latest: Latest[];
  };
  readings: {
    readings?: Reading[];
    series?: ReadingColumns[];
    next: string | null;
    unreadable?: Unreadable[];
  };
  buckets: {
    series: Buckets[];
    unreadable?: Unreadable[];
  };
  events: {
    events: Event[];
    earlier: number | null;
  };
  alarms: {
    alarms: Alarm[];
  };
  alarm_periods: {
    periods: AlarmPeriod[];
  };
  mends: {
    mends: Mend[];
  };
  panels: {
    panels: Panel[];
  };
  cost: {
    series: Cost[];
  };
  database: Database;
  status: Status;
};

/** What each change is ordered by, and answered with. */
export type Changes = {
  flag: {
    body: {
      series: string[];
      quality: "good" | "not_evaluated" | "suspect" | "fail";
      /** a time: now-1h, -15m, today, 2026-01-31, 2026-01-31T12:30+01:00, or an epoch in s, ms or us */
      since: string;
      /** a time: now-1h, -15m, today, 2026-01-31, 2026-01-31T12:30+01:00, or an epoch in s, ms or us */
      until: string;
      /** why, or what happened */
      note: string;
      /** who says so */
      by?: string;
    };
    answer: {
      mends: Mended[];
      refused: {
        series: string;
        message: string;
      }[];
    };
  };
  undo: {
    body: {
      mend: number;
    };
    answer: Mended;
  };
  note: {
    body: {
      series: string[];
      /** a time: now-1h, -15m, today, 2026-01-31, 2026-01-31T12:30+01:00, or an epoch in s, ms or us */
      at: string;
      /** why, or what happened */
      note: string;
      /** who says so */
      by?: string;
    };
    answer: {
      noted: number;
    };
  };
  ack: {
    body: {
      /** alarm/series, as /api/v1/alarms names both */
      alarms: string[];
      /** what was found */
      note?: string;
      /** who says so */
      by?: string;
    };
    answer: {
      /** those that waited for it */
      acknowledged: string[];
    };
  };
  panel_save: {
    body: {
      name: string;
      view: string;
    };
    answer: {
      name: string;
    };
  };
  panel_delete: {
    body: {
      name: string;
    };
    answer: {
      name: string;
    };
  };
};
