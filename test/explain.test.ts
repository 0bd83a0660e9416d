/** The table that maps errors to explanations, without a broker. */
import { describe, expect, test } from "vitest";
import { AddressError, parseAddresses, redact } from "../shared/broker-address.ts";
import {
  explain,
  explainConnecting,
  mayBeTemporary,
  messageOf,
} from "../shared/explain.ts";

const address = new URL("amqp://me:secret@rabbit.example/here");
const WHERE = "amqp://me:***@rabbit.example:5672/here";

/** Creates an error as amqplib or the system does. */
const error = (message: string, code?: string | number) =>
  Object.assign(new Error(message), code === undefined ? {} : { code });
const closed = (code: number, said: string) =>
  error(`Channel closed by server: ${code} (X) with message "${said}"`, code);

describe("explain", () => {
  const cases: [Error, first: string][] = [
    [
      error("connect ECONNREFUSED", "ECONNREFUSED"),
      `Nothing is listening at ${WHERE}.`,
    ],
    [
      error("getaddrinfo ENOTFOUND", "ENOTFOUND"),
      `The host name in ${WHERE} cannot be resolved.`,
    ],
    [
      error('Handshake: 403 with message "ACCESS_REFUSED - Login was refused"'),
      `${WHERE} rejected the user name or the password.`,
    ],
    [
      closed(
        406,
        "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'",
      ),
      "The queue 'q' already exists with other settings: durable should be 'true', but is 'false'.",
    ],
    [
      error("Field 'routingKey' is the wrong type; must be a string (up to 255 chars)"),
      "The routing key is longer than the 255 bytes that AMQP allows.",
    ],
    [
      closed(403, "ACCESS_REFUSED - write access refused"),
      "ACCESS_REFUSED - write access refused",
    ],
    [
      new AddressError("AMQP_URL is not a valid broker address: http://x"),
      "AMQP_URL is not a valid broker address: http://x",
    ],
  ];
  test.each(cases)(
    "%s",
    (given, first) => expect(explainConnecting(given, address)[0]).toBe(first),
  );

  test("an error of anything but the broker is not explained: it needs its stack trace", () => {
    const refused = error("connect ECONNREFUSED 127.0.0.1:5432", "ECONNREFUSED");
    expect(explain(refused, address)).toBeUndefined();
    expect(explain(error("ENOENT: no such file", "ENOENT"), address)).toBeUndefined();
    expect(explain(error("duplicate key", 11000), address)).toBeUndefined();
    expect(explain(error("Invalid URL", "ERR_INVALID_URL"), address)).toBeUndefined();
    expect(explain(new TypeError("x is undefined"), address)).toBeUndefined();
    expect(explain("thrown text", address)).toBeUndefined();
  });

  test("the broker's reply text is on one line", () => {
    expect(messageOf(closed(541, "INTERNAL_ERROR - Feature\nis deprecated"))).toBe(
      "INTERNAL_ERROR - Feature is deprecated",
    );
  });
});

describe("mayBeTemporary", () => {
  const passing = [
    error("read ECONNRESET", "ECONNRESET"),
    error("Heartbeat timeout"),
    closed(320, "CONNECTION_FORCED - broker forced connection closure"),
    closed(
      406,
      "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out",
    ),
    closed(541, "INTERNAL_ERROR"),
  ];
  const lasting = [
    closed(403, "ACCESS_REFUSED"),
    closed(404, "NOT_FOUND - no exchange 'x'"),
    closed(406, "PRECONDITION_FAILED - unknown delivery tag 1"),
    closed(503, "COMMAND_INVALID"),
    closed(541, "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated"),
  ];
  test.each(passing)(
    "%s may be temporary",
    (reason) => expect(mayBeTemporary(reason)).toBe(true),
  );
  test.each(lasting)(
    "%s is not temporary",
    (reason) => expect(mayBeTemporary(reason)).toBe(false),
  );
});

describe("addresses", () => {
  test("several are separated by commas", () => {
    const all = parseAddresses("amqp://a, amqps://me:secret@b:1/x,amqp://[::1]:2");
    expect(all.map(redact)).toEqual([
      "amqp://a:5672",
      "amqps://me:***@b:1/x",
      "amqp://[::1]:2",
    ]);
    expect(redact(new URL("amqps://b"))).toBe("amqps://b:5671");
  });

  test.each([
    "",
    "http://a",
    "amqp://",
    "amqp://a:0",
    "amqp://a:99999",
    "amqp://me:50%@a",
    "a",
  ])(
    "%j is not valid",
    (bad) => {
      expect(() => parseAddresses(`amqp://a,${bad}`)).toThrow(AddressError);
    },
  );
  test("the password of an invalid one is not shown", () => {
    expect(() => parseAddresses("amqp://a,http://me:secret@b")).toThrow("http://***@b");
  });
});
