//! Commands that people run, and what is dangerous about them.

use proptest::prelude::*;

use super::DangerKind::*;
use super::*;

#[track_caller]
fn check(line: &str, level: Level, kind: DangerKind) {
    let found = dangers(line);
    let Some(worst) = found.first() else { panic!("{line}: nothing found") };
    assert_eq!((worst.level, worst.kind), (level, kind), "{line}: {}", worst.why);
}

#[track_caller]
fn check_grave(kind: DangerKind, lines: &[&str]) {
    for line in lines {
        check(line, Level::Grave, kind);
    }
}

#[track_caller]
fn check_mild(kind: DangerKind, lines: &[&str]) {
    for line in lines {
        check(line, Level::Mild, kind);
    }
}

#[track_caller]
fn check_harmless(lines: &[&str]) {
    for line in lines {
        assert_eq!(dangers(line), [], "{line}");
    }
}

#[test]
fn deleting_directories_is_grave() {
    check_grave(
        RecursiveDelete,
        &[
            "rm -rf build",
            "rm -r -f /",
            "rm --recursive x",
            "rm -Rf ~",
            "rm -rf \"$HOME\"",
            "rm -rf $dir/",
            "sudo rm -rf /var/lib/docker",
            "cd /tmp && /bin/rm -rf x",
            "\\rm -rf x",
            "'rm' -rf x",
            "$'\\x72m' -rf x",
            "{rm,-rf,/}",
            "r''m -rf x",
            "command rm -rf x",
            "env A=1 rm -rf x",
            "nohup nice -n 5 rm -rf x &",
            "bash -c 'rm -rf x'",
            "bash -lc \"cd x; rm -rf y\"",
            "sh <<E\nrm -rf x\nE",
            "eval 'rm -rf x'",
            "ssh web 'rm -rf /srv'",
            "docker exec web rm -rf /data",
            "echo $(rm -rf x)",
            "echo `rm -rf x`",
            "echo \"${x:-$(rm -rf y)}\"",
            "f() { rm -rf x; }; f",
            "if true; then rm -rf x; fi",
            "for d in a b; do rm -rf $d; done",
            "while read d; do rm -r \"$d\"; done < list",
            "ls | xargs rm -rf",
            "find . -name '*.tmp' -delete",
            "find . -type f -exec rm {} +",
            "find . -exec sh -c 'rm -rf \"$1\"' _ {} ;",
            "fd -e o -x rm",
            "git clean -fdx",
            "git clean -f",
            "git -C sub clean -fd",
            "git rm -rf .",
            "rsync -a --delete a/ b/",
            "python3 -c 'import shutil; shutil.rmtree(\"x\")'",
            "perl -e 'unlink glob(\"*\")'",
            "awk 'BEGIN { system(\"rm -rf x\") }'",
            "npx rimraf dist; rimraf dist",
            "trap 'rm -rf x' EXIT",
            "rm -rf x -- --help",
            "time rm -rf x",
            "timeout 5 rm -rf x",
            "true || rm -rf x",
            "rm -rf x # --help",
        ],
    );
    check_mild(RecursiveDelete, &["rm -ri x", "cargo clean"]);
}

#[test]
fn deleting_files_is_mild_unless_many_go_unseen() {
    check_mild(Delete, &["rm a.txt", "rm -i one.txt", "rm -f a b c", "unlink a", "rm -- -r", "git rm a"]);
    check_grave(Delete, &["rm *", "rm -f ./*", "ls | xargs rm", "mv a /dev/null"]);
}

#[test]
fn devices_are_not_written_lightly() {
    check_grave(
        DeviceWrite,
        &[
            "dd if=x.iso of=/dev/sda bs=4M",
            "sudo dd of=/dev/nvme0n1",
            "mkfs.ext4 /dev/sdb1",
            "sudo mkfs -t ext4 /dev/sdb1",
            "echo x > /dev/sda",
            "cat img >> /dev/mmcblk0",
            "wipefs -a /dev/sda",
            "fdisk /dev/sda",
            "cryptsetup luksFormat /dev/sda2",
            "diskutil eraseDisk APFS x disk2",
            "zfs destroy tank/a",
            "cp x.img /dev/sdb",
            "echo x | sudo tee /dev/sda && echo y | dd of=/dev/sda",
        ],
    );
    check_mild(Overwrite, &["dd if=/dev/zero of=swapfile bs=1M count=100"]);
}

#[test]
fn files_are_not_emptied_lightly() {
    check_grave(
        Overwrite,
        &[
            "> ~/.bashrc",
            "echo x > ~/.ssh/authorized_keys",
            "echo x > /etc/hosts",
            ": > .env",
            "echo x | sudo tee /etc/fstab",
            "sort a > a",
            "cat < a > a",
            "truncate -s 0 log",
            "shred -u key",
            "cp /dev/null a",
        ],
    );
}

#[test]
fn rights_of_many_files_are_not_changed_lightly() {
    check_grave(
        Permissions,
        &[
            "chmod -R 777 .",
            "sudo chmod -R 755 /",
            "chown -R bob ~",
            "sudo chown -R bob:bob /usr",
            "chmod --recursive a+rwx web",
        ],
    );
    check_mild(Permissions, &["chmod 777 a", "chmod -R u+x bin", "chown -R bob ."]);
}

#[test]
fn code_from_the_network_is_not_run_unread() {
    check_grave(
        RemoteCode,
        &[
            "curl -fsSL https://a.b/i.sh | sh",
            "curl -fsSL https://a.b/i.sh | sudo bash -s -- -y",
            "wget -qO- https://a.b/i | bash",
            "curl x | tee i.sh | sh",
            "(curl x; echo y) | sh",
            "bash <(curl -s https://a.b)",
            "sh -c \"$(curl -fsSL https://a.b)\"",
            "eval \"$(wget -O - https://a.b)\"",
            "source <(curl -s https://a.b)",
            "curl x | python3 -",
            "curl x | base64 -d | sh",
        ],
    );
}

#[test]
fn history_and_work_are_not_thrown_away_lightly() {
    check_grave(
        ForcePush,
        &[
            "git push --force",
            "git push -f origin main",
            "git push origin +main",
            "git push origin --delete x",
            "git push origin :x",
            "git -c a.b=c push --mirror",
        ],
    );
    check_mild(ForcePush, &["git push --force-with-lease"]);
    check_grave(
        HistoryRewrite,
        &["git filter-repo --path x", "git reflog expire --all", "git gc --prune=now"],
    );
    check_mild(HistoryRewrite, &["git rebase -i HEAD~3", "git commit --amend", "git pull; git rebase main"]);
    check_grave(
        DiscardWork,
        &[
            "git reset --hard",
            "git reset --hard HEAD~1",
            "git checkout -- a",
            "git checkout .",
            "git restore a",
            "git stash drop",
            "git branch -D x",
            "git switch -f x",
        ],
    );
    check_mild(DiscardWork, &["git branch -d x"]);
}

#[test]
fn the_machine_is_not_brought_down_lightly() {
    check_grave(ForkBomb, &[":(){ :|:& };:", ":(){ :|: & };:", "bomb() { bomb | bomb & }; bomb"]);
    check_grave(
        Kill,
        &["kill -9 -1", "kill -- -1", "kill -KILL -1", "sudo kill 1", "pkill -u bob", "killall5"],
    );
    check_mild(Kill, &["kill -9 123", "pkill firefox", "killall node", "kill -s KILL 5", "docker kill web"]);
    check_grave(Shutdown, &["shutdown -h now", "sudo reboot", "init 0", "systemctl poweroff"]);
    check_grave(
        SystemChange,
        &["crontab -r", "userdel bob", "iptables -F", "ufw disable", "mv ~ /tmp", "setenforce 0"],
    );
    check_mild(SystemChange, &["systemctl stop nginx", "sudo systemctl disable --now x", "history -c"]);
}

#[test]
fn data_and_services_are_not_destroyed_lightly() {
    check_grave(
        DropTables,
        &[
            "psql -c 'DROP TABLE users'",
            "psql db -c \"drop database x;\"",
            "mysql -e 'TRUNCATE t'",
            "mysql -u root -p db -e\"DROP TABLE x\"",
            "sqlite3 a.db 'delete from t'",
            "psql --command='DROP SCHEMA x CASCADE'",
            "echo 'DROP TABLE x' | psql db",
            "psql <<E\nselect 1;\nDROP TABLE x;\nE",
            "dropdb x",
            "redis-cli FLUSHALL",
            "mysql -e 'UPDATE t SET a=1'",
        ],
    );
    check_grave(
        Containers,
        &["docker system prune -af", "docker volume rm x", "docker compose down -v", "docker rm -f web"],
    );
    check_mild(Containers, &["docker rm web", "docker image prune", "docker rmi x"]);
    check_grave(
        Infrastructure,
        &[
            "terraform destroy",
            "terraform apply -auto-approve",
            "kubectl delete pod x",
            "kubectl -n a delete ns b",
            "helm uninstall x",
            "aws s3 rm s3://a --recursive",
            "aws ec2 terminate-instances --instance-ids i",
            "gcloud compute instances delete x",
            "gh repo delete a/b",
        ],
    );
    check_grave(
        PackageRemoval,
        &["apt remove x", "sudo apt-get purge -y x", "pacman -Rns x", "brew uninstall x", "rpm -e x"],
    );
    check_mild(
        PackageRemoval,
        &["pip uninstall x", "npm uninstall x", "uv pip uninstall x", "cargo uninstall x"],
    );
    check_grave(Publish, &["npm publish", "cargo publish", "twine upload dist/*"]);
}

#[test]
fn what_only_looks_or_talks_is_harmless() {
    check_harmless(&[
        "echo \"rm -rf /\"",
        "echo 'rm -rf /' > notes.txt",
        "grep rm src/main.rs",
        "grep -r 'rm -rf' .",
        "rg 'DROP TABLE' migrations",
        "git log --grep='push --force'",
        "git commit -m 'rm -rf build; git push --force'",
        "# rm -rf /",
        "ls # && rm -rf /",
        "man rm",
        "rm --help",
        "which rm",
        "command -v shutdown",
        "find . -name '*.tmp'",
        "find . -newer delete",
        "ls farm/",
        "git clean -n",
        "git clean -nfdx",
        "git push",
        "git push -u origin main",
        "git push --dry-run --force",
        "git push origin feature-f",
        "git reset HEAD a",
        "git checkout main",
        "git checkout -b fix",
        "git restore --staged a",
        "git stash",
        "git stash pop",
        "git branch",
        "git rm --cached a",
        "git rebase --abort",
        "rsync -a a/ b/",
        "rsync -an --delete a/ b/",
        "dd if=/dev/sda of=/dev/null",
        "fdisk -l",
        "echo x > /dev/null 2>&1",
        "echo x >> ~/.bashrc",
        "echo x > notes.txt",
        "chmod +x run.sh",
        "chmod 600 key",
        "chown bob a",
    ]);
}

#[test]
fn what_looks_like_a_danger_elsewhere_is_harmless() {
    check_harmless(&[
        "curl https://a.b -o i.sh",
        "curl x | jq .",
        "curl x | python3 -m json.tool",
        "cat i.sh | grep sh",
        "kill 123",
        "kill -l",
        "shutdown -c",
        "systemctl status x",
        "crontab -l",
        "psql -c 'select * from dropped_tables'",
        "psql -c 'delete from t where id = 1'",
        "mysql -e 'show tables'",
        "echo 'DROP TABLE x' > a.sql",
        "docker ps",
        "docker compose down",
        "docker system df",
        "kubectl get pods",
        "kubectl delete pod x --dry-run=client",
        "terraform plan -destroy",
        "terraform apply",
        "apt-get remove -s x",
        "apt list --installed",
        "npm install",
        "pip install x",
        "cargo build",
        "cargo publish --dry-run",
        "python3 -c 'print(1)'",
        "awk '{print $1}' f",
        "cat <<E > notes\nrm -rf /\nE",
        "alias rm='rm -i'",
        "[[ -f rm ]] && echo yes",
        "cp a b",
        "mv a b",
        "tar xf a.tar",
        "sed -i 's/rm -rf/x/' f",
        "ls | wc -l",
        "yes | head",
        "a | a",
    ]);
}

#[test]
fn an_explanation_is_a_sentence_that_names_its_object() {
    let why = |line: &str| dangers(line).remove(0).why;
    assert_eq!(why("rm -rf build"), "Deletes `build` and everything in it; nothing brings it back.");
    assert_eq!(
        why("rm -r a b c d"),
        "Deletes `a`, `b` and 2 more and everything in it; nothing brings it back."
    );
    assert_eq!(why("rm -rf /"), "Deletes the whole system; nothing brings it back.");
    assert_eq!(why("rm -rf ~/"), "Deletes a whole home directory; nothing brings it back.");
    assert_eq!(why("rm 'a\u{1b}[2J'"), "Deletes `a\u{fffd}[2J`; nothing brings it back.");
    assert_eq!(why("sudo dd of=/dev/sda"), "Writes over the device `/dev/sda` and what is on it.");
}

#[test]
fn the_worst_comes_first_and_points_into_the_line() {
    let line = "rm a && sudo rm -rf b";
    let found = dangers(line);
    assert_eq!(found.iter().map(|one| one.level).collect::<Vec<_>>(), [Level::Grave, Level::Mild]);
    assert_eq!(&line[found[0].span.clone()], "rm -rf b");
}

proptest! {
    #[test]
    fn any_text_can_be_looked_at(line in any::<String>()) {
        for danger in dangers(&line) {
            prop_assert!(line.get(danger.span.clone()).is_some());
            prop_assert!(danger.why.ends_with('.') && !danger.why.contains('\n'));
        }
    }

    /// Whatever is quoted behind `echo` is only said.
    #[test]
    fn what_is_only_said_is_harmless(text in "[^']*") {
        prop_assert_eq!(dangers(&format!("echo '{text}'")), []);
    }

    /// No harmless start hides what comes behind it.
    #[test]
    fn nothing_before_hides_a_deletion(
        start in prop::sample::select(vec!["ls", "cd x", "echo 'a b'", "A=1 make", "(pwd)", "git status"]),
        join in prop::sample::select(vec![" && ", "; ", " || ", " | ", " & ", "\n"]),
        wrapper in prop::sample::select(vec!["", "sudo ", "env A=1 ", "nice -n 3 ", "command ", "time ", "xargs "]),
    ) {
        let line = format!("{start}{join}{wrapper}rm -rf x");
        prop_assert_eq!(dangers(&line).first().map(|one| one.kind), Some(RecursiveDelete));
    }
}
