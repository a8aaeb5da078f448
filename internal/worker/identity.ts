/** As whom the processes of jobs run. */
export type ProcessIdentity =
  /** As the worker itself: only when it is an ordinary process of that very user, as in tests. */
  | { readonly kind: "same" }
  /** As the agent's user, stripped of every capability. `setpriv` is the program's absolute path. */
  | { readonly kind: "switched"; readonly uid: number; readonly gid: number; readonly setpriv: string };

/** Decides the identity: whoever is not the agent's user already is switched, also to root. */
export function chooseIdentity(who: {
  readonly worker: { readonly uid: number; readonly gid: number };
  readonly agent: { readonly uid: number; readonly gid: number };
  readonly setpriv: string;
}): ProcessIdentity {
  if (who.worker.uid === who.agent.uid && who.worker.gid === who.agent.gid) return { kind: "same" };
  return { kind: "switched", uid: who.agent.uid, gid: who.agent.gid, setpriv: who.setpriv };
}

/** What is put before a program's argv so that it runs under the identity. */
export function toIdentityArgv(identity: ProcessIdentity): readonly string[] {
  if (identity.kind === "same") return [];
  return [
    identity.setpriv,
    `--reuid=${identity.uid}`,
    `--regid=${identity.gid}`,
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
    "--ambient-caps=-all",
    "--no-new-privs",
    "--",
  ];
}
