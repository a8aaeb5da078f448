import * as z from "zod";
import {
  isAptPackage,
  isNpmPackage,
  PACKAGES_MAX,
  PORTS_MAX,
  RELAY_PORT,
  sortPackages,
  WORKER_PORT,
} from "../lane/index.ts";
import { commandLine, environment, integer, oneOf, positive, size, skillChoice } from "./values.ts";

/** Commands of one list. */
const COMMANDS_MAX = 32;
const COMMAND_MAX = 8192;
const VARIABLES_MAX = 64;
const VALUE_MAX = 4096;

/** Variables that would act on the worker, which runs in the same container and must not be the repository's. */
const OURS = /^(LD_.*|NODE_(?!ENV$).*|GIT_.*|INBOX_.*|SSL_CERT_.*|PATH|HOME|TZ|SHELL|BASH_ENV|ENV)$/i;

const image = z
  .string({ error: "expected an image's name" })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}$/, "expected an image's name");

const commands = z
  .array(
    z.union([z.string().min(1).max(COMMAND_MAX).refine(isText, "must not hold a NUL"), commandLine.max(256)], {
      error: "expected a line for the shell, or a list of words",
    }),
    { error: "expected a list of commands" },
  )
  .max(COMMANDS_MAX, `at most ${COMMANDS_MAX} commands`);

const variables = environment
  .refine((given) => Object.keys(given).length <= VARIABLES_MAX, `at most ${VARIABLES_MAX} variables`)
  .refine((given) => Object.values(given).every((value) => value.length <= VALUE_MAX), `values of at most ${VALUE_MAX}`)
  .superRefine((given, ctx) => {
    const ours = Object.keys(given).find((name) => OURS.test(name));
    if (ours !== undefined) ctx.addIssue({ code: "custom", message: `${ours} cannot be set by a repository` });
  });

const ports = z
  .array(
    integer(1, 65_535).refine((port) => port !== WORKER_PORT && port !== RELAY_PORT, "is a port of the worker"),
    { error: "expected a list of ports" },
  )
  .max(PORTS_MAX, `at most ${PORTS_MAX} ports`)
  .transform((given): readonly number[] => [...new Set(given)].sort((a, b) => a - b));

const packagesOf = (kind: string, isPackage: (word: string) => boolean) =>
  z
    .array(z.string().refine(isPackage, `is no name of a package of ${kind}, with or without a version`), {
      error: `expected a list of packages of ${kind}`,
    })
    .max(PACKAGES_MAX, `at most ${PACKAGES_MAX} packages`)
    .default([]);

const packages = z
  .strictObject(
    { apt: packagesOf("apt", isAptPackage), npm: packagesOf("npm", isNpmPackage) },
    { error: (issue) => (issue.code === "unrecognized_keys" ? "the keys are apt and npm" : "expected apt and npm") },
  )
  .transform(sortPackages);

/** What a repository's file may say: by key, the field of `RepositoryConfig`, how it is read, and what it means. */
export const REPOSITORY_VALUES = {
  image: { field: "image", schema: image, help: "image: the image of the lanes' containers" },
  agent: {
    field: "agent",
    schema: oneOf(["claude", "codex", "gemini", "shell"]),
    help: "agent: the agent that prompts go to when nothing else names one",
  },
  skills: { field: "skills", schema: skillChoice, help: "skills: all, none, or names of the user's skills" },
  "limits.memory": { field: "memoryBytes", schema: size, help: "limits.memory: as 2g" },
  "limits.cpus": { field: "cpus", schema: positive(4096), help: "limits.cpus: as 1.5" },
  "limits.pids": { field: "pids", schema: integer(16, 4_194_304), help: "limits.pids: a number of processes" },
  ports: { field: "ports", schema: ports, help: "ports: ports of the container, as [3000, 8080]" },
  packages: {
    field: "packages",
    schema: packages,
    help: "packages: what the image gets on top, as {apt: [git-lfs], npm: [typescript@5]}",
  },
  env: { field: "env", schema: variables, help: "env: variables of the container; not for secrets" },
  setup: { field: "setup", schema: commands, help: "setup: commands that prepare each new container" },
  teardown: { field: "teardown", schema: commands, help: "teardown: commands run before a lane is removed" },
} as const;

/** A key of a repository's file. */
export type RepositoryKey = keyof typeof REPOSITORY_VALUES;

function isText(value: string): boolean {
  return !value.includes("\0");
}
