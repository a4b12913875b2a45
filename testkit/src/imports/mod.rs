//! Who imports whom: the modules of a crate, read from their text, and the arrows between them.
//!
//! Rust lets the modules of one crate import each other in any direction. Tests of the floor plan read the
//! text instead: `use` declarations, and paths in code that name another module. A name that a module passes
//! on (`pub use`) counts as imported from where it is defined, so a facade ties nobody to its neighbours.
//! Tests within a crate (`#[cfg(test)]`, files named `tests`) are left out: they stand above everything.

mod tokens;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::Path,
};

use tokens::{Token, tokens};

/// Words that begin a definition.
const DEFINING: [&str; 9] =
    ["fn", "struct", "enum", "trait", "const", "static", "type", "union", "macro_rules"];

/// Longest chain of re-exports that is followed.
const MOST_HOPS: usize = 12;

/// A path of module names from the root of a crate: `["run", "case"]`.
type Module = Vec<String>;

/// One module imports a name that another one defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The file that imports, relative to the crate's `src`.
    pub from: String,
    /// The file that defines.
    pub to: String,
    /// What is imported.
    pub name: String,
}

impl Import {
    /// The folder, or the file, of the root in which the importing file lies: `run`.
    #[must_use]
    pub fn from_room(&self) -> &str {
        room(&self.from)
    }

    /// The same of the defining file.
    #[must_use]
    pub fn to_room(&self) -> &str {
        room(&self.to)
    }
}

fn room(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// A `use` of one name.
struct Use {
    path: Vec<String>,
    /// The name by which the module knows it; `*` for all.
    name: String,
    is_passed_on: bool,
}

/// What one file says.
struct Source {
    file: String,
    defines: BTreeSet<String>,
    uses: Vec<Use>,
    /// Paths of two or more names in code.
    paths: Vec<Vec<String>>,
}

/// The modules of one crate.
pub struct Sources(BTreeMap<Module, Source>);

impl Sources {
    /// Reads all modules below a `src` folder.
    ///
    /// # Panics
    ///
    /// When a file cannot be read.
    #[must_use]
    pub fn read(src: &Path) -> Self {
        let mut modules = BTreeMap::new();
        let mut folders = vec![src.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder of sources can be listed") {
                let path = entry.expect("a folder of sources can be listed").path();
                let file = path.strip_prefix(src).expect("below it").to_string_lossy().into_owned();
                if path.is_dir() {
                    folders.push(path);
                } else if file.ends_with(".rs") && file != "main.rs" && !is_of_tests(&file) {
                    let text = fs::read_to_string(&path).expect("a source file can be read");
                    modules.insert(module_of(&file), Source::read(file, &text));
                }
            }
        }
        Self(modules)
    }

    /// All imports, each once.
    #[must_use]
    pub fn imports(&self) -> BTreeSet<Import> {
        self.0.iter().flat_map(|(module, source)| self.imports_of(module, source)).collect()
    }

    /// Files that name a path with these names in it, one after the other, in code or in a `use`; each with
    /// the path.
    #[must_use]
    pub fn naming(&self, names: &[&str]) -> Vec<(&str, String)> {
        let mut found = Vec::new();
        for source in self.0.values() {
            let paths = source.uses.iter().map(|used| &used.path).chain(&source.paths);
            let named = paths.filter(|path| path.windows(names.len()).any(|part| part == names));
            found.extend(named.map(|path| (source.file.as_str(), path.join("::"))));
        }
        found
    }

    fn imports_of(&self, module: &Module, source: &Source) -> Vec<Import> {
        let is_facade = source.file.ends_with("mod.rs") || source.file.ends_with("lib.rs");
        let of_uses = source.uses.iter().filter(|used| !(is_facade && used.is_passed_on));
        let of_uses = of_uses.filter_map(|used| self.absolute(module, &used.path));
        let of_code = source.paths.iter().filter_map(|path| self.of_code(module, source, path));
        let found = of_uses.chain(of_code).filter_map(|path| {
            let (definer, name) = self.definer(&path, 0)?;
            let to = &self.0.get(&definer)?.file;
            let import = Import { from: source.file.clone(), to: to.clone(), name };
            (import.from != import.to).then_some(import)
        });
        found.collect()
    }

    /// A path in code, from the root: one that begins at the root or near, in a module below, or in
    /// a module that was imported.
    fn of_code(&self, module: &Module, source: &Source, path: &[String]) -> Option<Vec<String>> {
        let first = path.first()?;
        if matches!(first.as_str(), "crate" | "self" | "super") {
            return self.absolute(module, path);
        }
        let used = source.uses.iter().find(|used| used.name == *first);
        if let Some(used) = used {
            let base = self.absolute(module, &used.path)?;
            return self.0.contains_key(&base).then(|| [&base, &path[1..]].concat());
        }
        self.absolute(module, path)
    }

    /// A path from the root, if it leads into this crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([module.as_slice(), rest].concat()),
            "super" => {
                let ups = path.iter().take_while(|name| *name == "super").count();
                let base = module.get(..module.len().checked_sub(ups)?)?;
                Some([base, &path[ups..]].concat())
            }
            _ => {
                let below = [module.as_slice(), std::slice::from_ref(first)].concat();
                self.0.contains_key(&below).then(|| [&below, rest].concat())
            }
        }
    }

    /// The module that defines what a path names, and the name. `None` for a module itself, and for what
    /// comes from elsewhere.
    fn definer(&self, path: &[String], hops: usize) -> Option<(Module, String)> {
        let depth = (0..=path.len()).rev().find(|depth| self.0.contains_key(&path[..*depth]))?;
        let (module, rest) = (path[..depth].to_vec(), &path[depth..]);
        let source = self.0.get(&module)?;
        let name = rest.iter().find(|name| *name != "self")?;
        if name == "*" || source.defines.contains(name) || hops == MOST_HOPS {
            return Some((module, name.clone()));
        }
        if let Some(used) = source.uses.iter().find(|used| used.name == *name) {
            return self.definer(&self.absolute(&module, &used.path)?, hops + 1);
        }
        let globs = source.uses.iter().filter(|used| used.name == "*" && used.is_passed_on);
        let from_glob = globs
            .filter_map(|used| self.absolute(&module, &used.path[..used.path.len() - 1]))
            .find_map(|base| {
                let of = self.0.get(&base)?;
                of.defines.contains(name).then(|| (base.clone(), name.clone()))
            });
        Some(from_glob.unwrap_or((module, name.clone())))
    }
}

impl Source {
    fn read(file: String, text: &str) -> Self {
        let all = tokens(text);
        let mut source =
            Self { file, defines: BTreeSet::new(), uses: Vec::new(), paths: Vec::new() };
        let (mut at, mut depth) = (0, 0_usize);
        while let Some(token) = all.get(at) {
            match token {
                Token::Test => at = after_item(&all, at + 1),
                Token::Name(word) if word == "use" => {
                    let is_passed_on = at > 0 && is_public(&all[..at]);
                    let end = (at..all.len()).find(|i| all[*i].is(';')).unwrap_or(all.len());
                    tree(&all[at + 1..end], &mut 0, &[], is_passed_on, &mut source.uses);
                    at = end;
                }
                Token::Name(word) if depth == 0 && DEFINING.contains(&word.as_str()) => {
                    let next = all[at + 1..].iter().find_map(Token::name);
                    source.defines.extend(next.map(str::to_owned));
                    at += 1;
                }
                Token::Name(_) => at = path_in_code(&all, at, &mut source.paths),
                Token::Mark(mark) => {
                    match mark {
                        '{' => depth += 1,
                        '}' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    at += 1;
                }
                Token::Path => at += 1,
            }
        }
        source
    }
}

/// Whether the tokens before a `use` make it public: `pub`, or `pub(crate)`.
fn is_public(before: &[Token]) -> bool {
    match before.last() {
        Some(Token::Name(word)) => word == "pub",
        Some(token) if token.is(')') => {
            let open = before.iter().rposition(|token| token.is('('));
            open.is_some_and(|open| open > 0 && before[open - 1].name() == Some("pub"))
        }
        _ => false,
    }
}

/// The place after the item that begins here: its block, or its semicolon.
fn after_item(all: &[Token], from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in all.iter().enumerate().skip(from) {
        match token {
            Token::Mark('{' | '(' | '[') => depth += 1,
            Token::Mark(mark @ ('}' | ')' | ']')) => {
                depth = depth.saturating_sub(1);
                if depth == 0 && *mark == '}' {
                    return at + 1;
                }
            }
            Token::Mark(';') if depth == 0 => return at + 1,
            _ => {}
        }
    }
    all.len()
}

/// Notes a path of several names, and returns the place after it.
fn path_in_code(all: &[Token], from: usize, paths: &mut Vec<Vec<String>>) -> usize {
    let mut path = Vec::new();
    let mut at = from;
    while let Some(name) = all.get(at).and_then(Token::name) {
        path.push(name.to_owned());
        at += 1;
        if !matches!(all.get(at), Some(Token::Path)) {
            break;
        }
        at += 1;
    }
    if path.len() > 1 {
        paths.push(path);
    }
    at.max(from + 1)
}

/// Reads a tree of `use`: `a::{b, c::d as e}`.
fn tree(all: &[Token], at: &mut usize, prefix: &[String], is_passed_on: bool, uses: &mut Vec<Use>) {
    let mut path = prefix.to_vec();
    let mut name = None;
    while let Some(token) = all.get(*at) {
        match token {
            Token::Mark('{') => {
                *at += 1;
                while all.get(*at).is_some_and(|token| !token.is('}')) {
                    tree(all, at, &path, is_passed_on, uses);
                    if all.get(*at).is_some_and(|token| token.is(',')) {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            Token::Mark(',' | '}') => break,
            Token::Name(word) if word == "as" => {
                name = all.get(*at + 1).and_then(Token::name).map(str::to_owned);
                *at += 1;
            }
            Token::Name(word) => path.push(word.clone()),
            Token::Mark('*') => path.push("*".into()),
            _ => {}
        }
        *at += 1;
        if name.is_some() {
            break;
        }
    }
    if path.len() > prefix.len() && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let Some(name) = name.or_else(|| path.last().cloned()) else { return };
    uses.push(Use { path, name, is_passed_on });
}

fn module_of(file: &str) -> Module {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let mut module: Module = path.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

fn is_of_tests(file: &str) -> bool {
    let mut parts = file.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
    parts.any(|part| part == "tests" || part.ends_with("_tests"))
}

/// Every import that closes a loop of files, each with the shortest way back, as a sentence.
#[must_use]
pub fn loops(imports: &BTreeSet<Import>) -> Vec<String> {
    let mut from: BTreeMap<&str, Vec<&Import>> = BTreeMap::new();
    for import in imports {
        from.entry(&import.from).or_default().push(import);
    }
    let mut told: BTreeSet<BTreeSet<&str>> = BTreeSet::new();
    let mut sentences = Vec::new();
    for import in imports {
        let Some(back) = way(&from, &import.to, &import.from) else { continue };
        let files = back.iter().map(|step| step.from.as_str()).chain([import.from.as_str()]);
        if told.insert(files.collect()) {
            let steps = [import].into_iter().chain(back);
            let steps = steps.map(|s| format!("{} imports {} of {}", s.from, s.name, s.to));
            sentences.push(steps.collect::<Vec<_>>().join(", "));
        }
    }
    sentences
}

/// The shortest way from one file to another.
fn way<'a>(
    from: &BTreeMap<&str, Vec<&'a Import>>,
    start: &'a str,
    end: &str,
) -> Option<Vec<&'a Import>> {
    let mut came_by: BTreeMap<&str, &Import> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for import in from.get(file).into_iter().flatten() {
            if import.to != start && !came_by.contains_key(import.to.as_str()) {
                came_by.insert(&import.to, import);
                queue.push_back(&import.to);
            }
        }
        if came_by.contains_key(end) {
            break;
        }
    }
    let mut steps = Vec::new();
    let mut file = end;
    while file != start {
        let import = *came_by.get(file)?;
        steps.push(import);
        file = &import.from;
    }
    steps.reverse();
    Some(steps)
}
