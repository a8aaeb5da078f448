/**
 * Makes the private git dir from the host's seed: `sh -c SCRIPT sh SEED DIR`. May be repeated after a death anywhere:
 * HEAD comes last but for the index, and without it nothing takes the folder for a git dir. No file of the work tree is
 * written; without a seeded index git compares all files at the first look. The host's index keeps git out of submodules,
 * which are the lane's to enter.
 */
export const PREPARE_SCRIPT = `set -eu
umask 022
seed=$1 dir=$2
if [ ! -e "$dir/HEAD" ]; then
  rm -f "$dir/HEAD.seed" "$dir/index" "$dir/index.lock"
  cp -R "$seed/." "$dir/"
  mkdir -p "$dir/refs/heads" "$dir/objects/pack" "$dir/info" "$dir/hooks"
  [ ! -e "$seed/index" ] || touch -r "$seed/index" "$dir/index"
  mv "$dir/HEAD.seed" "$dir/HEAD"
  if [ -e "$dir/index" ] && [ -e /workspace/.gitmodules ]; then
    cd /workspace
    git ls-files --stage | sed -n 's/^160000 [0-9a-f]* 0.//p' | git update-index --no-skip-worktree --stdin
  fi
fi
if [ ! -e "$dir/index" ]; then
  cd /workspace
  git read-tree HEAD
  [ "$(git config --bool core.sparseCheckout || :)" != true ] || git sparse-checkout reapply
fi
`;

/**
 * Says what the git dir holds beside the lane's branch: `sh -c SCRIPT sh WORKSPACE MAX`. Lines `branch <oid> <name>`,
 * `detached <oid>`, `stashes <count>`; of each submodule that is there `submodule <commits> <others> <path>`: commits
 * that no remote has, and how many paths and stash entries are in no commit. Of git dirs whose submodule is not there any
 * more, only those with something to lose. A submodule that git cannot look at has no line.
 */
export const LOOK_SCRIPT = `set -eu
cd "$1"
git for-each-ref --count="$2" --format='branch %(objectname) %(refname:lstrip=2)' refs/heads/
git symbolic-ref -q HEAD >/dev/null || echo "detached $(git rev-parse --verify HEAD)"
echo "stashes $(git stash list --format=%H | wc -l)"
dir=$(git rev-parse --absolute-git-dir)
loose() { git "$@" rev-list --count --branches --tags HEAD --not --remotes --; }
stashes() { git "$@" stash list --format=%H | wc -l; }
git -c core.quotePath=false ls-files --stage | sed -n 's/^160000 [0-9a-f]* 0.//p' | head -n "$2" |
  while IFS= read -r path; do
    [ -e "$path/.git" ] || continue
    commits=$(loose -C "$path") && others=$(git -C "$path" status --porcelain | wc -l) || continue
    echo "submodule $commits $((others + $(stashes -C "$path"))) $path"
  done 2>/dev/null
[ ! -d "$dir/modules" ] || find "$dir/modules" -type d -name objects -prune | head -n "$2" |
  while IFS= read -r path; do
    path=\${path%/objects}
    tree=$(git --git-dir="$path" config core.worktree) || tree=none
    [ ! -e "$path/$tree/.git" ] || continue
    sum=$(loose --git-dir="$path"):$(stashes --git-dir="$path")
    [ "$sum" = 0:0 ] || echo "submodule \${sum%:*} \${sum#*:} \${path#"$dir/modules/"}"
  done 2>/dev/null
`;

/** What {@link ADVANCE_SCRIPT} exits with when it would have to disturb something. */
export const HELD: Readonly<Record<number, string>> = {
  8: "something is staged in the lane",
  9: "a merge, rebase or cherry-pick is under way in the lane",
  10: "the branch has moved in the lane",
};

/**
 * Moves a branch that the host has moved: `sh -c SCRIPT sh WORKSPACE BRANCH FROM TO`. The index follows; files of the
 * work tree are never written, they are the same on both sides.
 */
export const ADVANCE_SCRIPT = `set -eu
cd "$1"
ref=refs/heads/$2 from=$3 to=$4
dir=$(git rev-parse --absolute-git-dir)
for name in MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD rebase-merge rebase-apply; do
  [ ! -e "$dir/$name" ] || exit 9
done
here=no
[ "$(git symbolic-ref -q HEAD || :)" != "$ref" ] || here=yes
if [ $here = yes ]; then
  git diff-index --cached --quiet --ignore-submodules=all "$from" -- || exit 8
fi
git update-ref -m "lane: from the host" "$ref" "$to" "$from" || exit 10
[ $here = no ] || git reset --quiet --mixed --no-refresh
`;
