"""Boxes from arrays and snapshots: one embedded box, written in every format and read back."""

import sys
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from lagbias.config import sections
from lagbias.config.sections import FileBox, FilesSettings
from lagbias.cosmology import Background
from lagbias.schema.file_names import numbered_files, split_array
from lagbias.simulate.friends_of_friends import friends_of_friends, halo_properties
from lagbias.sources.diagnosis import check_alignment
from lagbias.sources.files import read_box
from lagbias.sources.files.arrays import read_array
from lagbias.stages.check_files import check_files
from lagbias.stages.read_source import content_of, read_source

L, N, Z, H = 120.0, 32, 0.5, 0.7
A = 1 / (1 + Z)
MPC, SOLAR_MASS = 3.085678e24, 1.989e33  # cm and g, as in parameter files of Gadget


@pytest.fixture(scope="module")
def velocity(box):
    """Peculiar velocities [km/s], one for each particle."""
    return (300 * np.sin(0.1 * box.particles.position)).astype(np.float32)


@pytest.fixture(scope="module")
def shuffled():
    """The order in which particles are written."""
    return np.random.default_rng(5).permutation(N**3)


def settings(box, files, **changes):
    chosen = {
        "box_size": L,
        "particles_per_side": N,
        "density_grid": N,
        "redshift": Z,
        "omega_m": box.attributes["omega_m"],
        "growth": box.attributes["growth"],
        "min_halo_particles": 5,
        "halo_finder": "catalogue" if files.get("halos") else "friends_of_friends",
        "linking_length": 0.2,
        "boxes": {"mine": files},
    }
    return FilesSettings.model_validate(chosen | changes)


def read(box, files, **changes):
    return read_box(settings(box, files, **changes), "mine", threads=1)


def same(found, expected, *, tolerance=1e-5, halos=True):
    """Assert that two boxes are equal, positions to a tolerance [Mpc/h]."""
    particles = found.particles
    np.testing.assert_array_equal(
        particles.lagrangian_site, expected.particles.lagrangian_site, strict=True
    )
    offset = particles.position.astype(float) - expected.particles.position
    assert np.abs(offset - L * np.round(offset / L)).max() < tolerance
    np.testing.assert_allclose(found.linear_density.delta, expected.linear_density.delta, atol=1e-6)
    if halos:
        assert found.halos.particles.tolist() == expected.halos.particles.tolist()
        np.testing.assert_allclose(found.halos.mass, expected.halos.mass, rtol=1e-3)
        offset = found.halos.position.astype(float) - expected.halos.position
        assert np.abs(offset - L * np.round(offset / L)).max() < 2 * tolerance


def write_arrays(box, directory, order, *, ids=None, origin=0.0, unit=1.0):
    """Write particles, density and halos in the three kinds of files; return their names."""
    position = (box.particles.position.astype(float) + origin) / unit
    with h5py.File(directory / "box.h5", "w") as file:
        file["ics/delta"] = box.linear_density.delta
        file["particles/x"] = position[order]
    np.save(directory / "ids.npy", (np.arange(N**3) if ids is None else ids)[order])
    halos = {name: getattr(box.halos, name) for name in ("mass", "particles", "velocity")}
    centres = (box.halos.position.astype(float) + origin) / unit
    np.savez(directory / "halos.npz", centres=centres, **halos)
    return {
        "linear_density": f"{directory}/box.h5:ics/delta",
        "positions": f"{directory}/box.h5:particles/x",
        "particle_ids": f"{directory}/ids.npy",
        "halos": {
            "positions": f"{directory}/halos.npz:centres",
            "masses": f"{directory}/halos.npz:mass",
            "particles": f"{directory}/halos.npz:particles",
            "velocities": f"{directory}/halos.npz:velocity",
        },
    }


def write_gadget(directory, box, velocity, order, *, files=1, kpc=False, mass_table=True):
    """Write a snapshot as Gadget-4 does, IDs from 1; return the name of its first file."""
    unit = 1e-3 if kpc else 1.0
    mass = box.attributes["particle_mass"] / 1e10
    names = []
    for number, part in enumerate(np.array_split(order, files)):
        middle = f".{number}" if files > 1 else ""
        names.append(directory / f"snapshot_005{middle}.hdf5")
        with h5py.File(names[-1], "w") as file:
            file.create_group("Header").attrs.update(
                {
                    "BoxSize": L / unit,
                    "MassTable": np.array([0, mass if mass_table else 0, 0, 0, 0, 0]),
                    "NumFilesPerSnapshot": np.int32(files),
                    "NumPart_ThisFile": np.array([0, len(part), 0, 0, 0, 0], np.uint32),
                    "NumPart_Total": np.array([0, len(order), 0, 0, 0, 0], np.uint64),
                    "Redshift": Z,
                    "Time": A,
                }
            )
            file.create_group("Parameters").attrs.update(
                {
                    "UnitLength_in_cm": MPC * unit,
                    "UnitMass_in_g": 1e10 * SOLAR_MASS,
                    "UnitVelocity_in_cm_per_s": 1e5,
                }
            )
            group = file.create_group("PartType1")
            group["Coordinates"] = box.particles.position[part].astype(float) / unit
            group["Velocities"] = velocity[part] / np.float32(np.sqrt(A))
            group["ParticleIDs"] = (part + 1).astype(np.uint32)
            if not mass_table:
                group["Masses"] = np.full(len(part), mass, np.float32)
    return str(names[0])


SWIFT_UNITS = {"mass": 1.98841e43, "length": 3.08567758149e24, "time": 3.08567758149e19}


def write_swift(path, box, velocity, order):
    """Write a snapshot as SWIFT does: no factors of h, and units with every array."""
    with h5py.File(path, "w") as file:
        file.create_group("Header").attrs.update(
            {
                "BoxSize": np.full(3, L / H),
                "Code": np.bytes_("SWIFT"),
                "Dimension": [3],
                "MassTable": np.zeros(7),
                "NumFilesPerSnapshot": [1],
                "NumPart_ThisFile": np.array([0, len(order), 0, 0, 0, 0, 0]),
                "NumPart_Total": np.array([0, len(order), 0, 0, 0, 0, 0], np.uint32),
                "NumPart_Total_HighWord": np.zeros(7, np.uint32),
                "OutputType": np.bytes_("FullVolume"),
                "Redshift": [Z],
                "Scale-factor": [A],
                "ThisFile": [0],
            }
        )
        units = {f"Unit {name} in cgs (U_{name[0]})": v for name, v in SWIFT_UNITS.items()}
        units = {key.replace("U_m", "U_M").replace("U_l", "U_L"): v for key, v in units.items()}
        units |= {"Unit current in cgs (U_I)": 1.0, "Unit temperature in cgs (U_T)": 1.0}
        for name in ("Units", "InternalCodeUnits"):
            file.create_group(name).attrs.update({key: [value] for key, value in units.items()})
        cosmology = {"Cosmological run": 1, "h": H, "H0 [internal units]": 100 * H}
        cosmology |= {"Omega_m": 0.3, "Omega_b": 0.05, "Omega_lambda": 0.7, "Omega_nu_0": 0.0}
        cosmology |= {"Omega_k": 0.0, "Omega_r": 0.0, "w_0": -1.0, "w_a": 0.0, "T_CMB_0 [K]": 2.7}
        cosmology |= {"Redshift": Z, "Scale-factor": A, "N_eff": 3.0, "N_ur": 3.0, "N_nu": 0}
        cosmology |= {"Critical density [internal units]": 27.75 * H**2}
        file.create_group("Cosmology").attrs.update({k: [v] for k, v in cosmology.items()})
        mass = box.attributes["particle_mass"] / 1e10 / H
        for name, values, length, weight, time, a in (
            ("Coordinates", box.particles.position[order].astype(float) / H, 1, 0, 0, 1),
            ("Velocities", velocity[order], 1, 0, -1, 0),
            ("Masses", np.full(len(order), mass, np.float32), 0, 1, 0, 0),
            ("ParticleIDs", order.astype(np.uint64), 0, 0, 0, 0),
        ):
            write_swift_array(file, name, values, length, weight, time, a)


def write_swift_array(file, name, values, length, weight, time, a):
    """Write an array with the powers of its units."""
    array = file.create_dataset(f"PartType1/{name}", data=values)
    powers = {"U_L": length, "U_M": weight, "U_t": time, "U_I": 0, "U_T": 0}
    powers |= {"a-scale": a, "h-scale": 0}
    array.attrs.update({f"{key} exponent": [float(value)] for key, value in powers.items()})
    to_cgs = SWIFT_UNITS["length"] ** length * SWIFT_UNITS["mass"] ** weight
    to_cgs *= SWIFT_UNITS["time"] ** time
    prefix = "Conversion factor to"
    array.attrs[f"{prefix} CGS (not including cosmological corrections)"] = [to_cgs]
    array.attrs[f"{prefix} physical CGS (including cosmological corrections)"] = [to_cgs * A**a]
    array.attrs["Value stored as physical"] = [0]
    array.attrs["Property can be converted to comoving"] = [1]
    array.attrs["Description"] = np.bytes_(name)
    array.attrs["Lossy compression filter"] = np.bytes_("None")


@pytest.fixture
def density(box, tmp_path):
    np.save(tmp_path / "delta.npy", box.linear_density.delta)
    return {"linear_density": f"{tmp_path}/delta.npy"}


def test_arrays_in_files_of_three_kinds_are_the_box(box, shuffled, tmp_path):
    found = read(box, write_arrays(box, tmp_path, shuffled))
    same(found, box)
    np.testing.assert_array_equal(found.halos.velocity, box.halos.velocity)
    assert found.particles.velocity.shape == (0, 3)
    for name in ("box_size", "redshift", "growth", "n_grid", "omega_m"):
        assert found.attributes[name] == pytest.approx(box.attributes[name])


def test_velocities_are_sorted_and_thinned_with_their_particles(box, velocity, shuffled, tmp_path):
    np.save(tmp_path / "v.npy", velocity[shuffled])
    files = write_arrays(box, tmp_path, shuffled) | {"velocities": f"{tmp_path}/v.npy"}
    found = read(box, files, kept_fraction=0.3)
    assert 0.2 < len(found.particles.position) / N**3 < 0.4
    expected = velocity[found.particles.lagrangian_site]
    np.testing.assert_array_equal(found.particles.velocity, expected)


def test_origin_and_units_are_those_of_the_configuration(box, shuffled, tmp_path):
    files = write_arrays(box, tmp_path, shuffled, origin=-L / 2, unit=1e-3)
    same(read(box, files, origin=-L / 2, length_unit=1e-3), box, tolerance=5e-5)


def test_ids_may_count_along_x_first_and_start_anywhere(box, shuffled, tmp_path):
    ids = 7 + np.arange(N**3).reshape((N,) * 3).transpose().ravel()
    files = write_arrays(box, tmp_path, shuffled, ids=ids)
    same(read(box, files, particle_order="Fortran", first_id=7), box)


def test_rows_may_be_in_the_order_of_the_lattice(box, tmp_path):
    files = write_arrays(box, tmp_path, np.arange(N**3))
    del files["particle_ids"]
    same(read(box, files, first_id=1), box)


def test_nodes_may_be_given_instead_of_ids(box, shuffled, tmp_path):
    files = write_arrays(box, tmp_path, shuffled)
    files["lagrangian_index"] = files.pop("particle_ids")
    same(read(box, files), box)


def test_particles_of_a_finer_lattice_have_the_node_of_their_cell(box, shuffled, tmp_path):
    files = write_arrays(box, tmp_path, shuffled)
    np.save(tmp_path / "rough.npy", box.linear_density.delta[::2, ::2, ::2])
    files["linear_density"] = f"{tmp_path}/rough.npy"
    found = read(box, files, density_grid=N // 2)
    nodes = np.stack(np.unravel_index(found.particles.lagrangian_site, (N // 2,) * 3), axis=-1)
    offset = found.particles.position - nodes * (2 * L / N)
    offset -= L * np.round(offset / L)
    assert np.sqrt(np.mean(np.sum(offset**2, axis=1))) < 9
    counts = np.bincount(found.particles.lagrangian_site)
    assert counts.tolist() == [8] * (N // 2) ** 3
    check_alignment(found)


def test_thinned_particles_are_those_of_the_chosen_sites(box, shuffled, tmp_path):
    found = read(box, write_arrays(box, tmp_path, shuffled), kept_fraction=0.25)
    sites = found.particles.lagrangian_site
    assert len(sites) == pytest.approx(0.25 * N**3, rel=0.01) and np.all(np.diff(sites) > 0)
    np.testing.assert_allclose(found.particles.position, box.particles.position[sites], atol=1e-5)
    assert len(found.halos.mass) == len(box.halos.mass)


def test_a_catalogue_without_counts_has_those_of_its_masses(box, shuffled, tmp_path):
    files = write_arrays(box, tmp_path, shuffled)
    del files["halos"]["particles"], files["halos"]["velocities"]
    mass = box.attributes["particle_mass"]
    found = read(box, files, particle_mass=mass, min_halo_particles=8)
    kept = box.halos.particles >= 8
    assert found.halos.particles.tolist() == box.halos.particles[kept].tolist()
    assert not found.halos.velocity.any()


def test_the_density_may_be_at_another_redshift(box, shuffled, tmp_path):
    files = write_arrays(box, tmp_path, shuffled)
    growth = Background(omega_m=box.attributes["omega_m"], omega_smooth=0, h=0.7).growth
    ratio = float(growth(1.0) / growth(A))
    np.save(tmp_path / "today.npy", ratio * box.linear_density.delta)
    files["linear_density"] = f"{tmp_path}/today.npy"
    found = read(box, files, density_redshift=0.0, growth=None)
    same(found, box)
    assert found.attributes["growth"] == pytest.approx(1 / ratio)


@pytest.mark.parametrize(
    "written", [{}, {"files": 3}, {"kpc": True}, {"mass_table": False}, {"files": 2, "kpc": True}]
)
def test_snapshots_of_gadget_are_the_box(box, velocity, shuffled, density, tmp_path, written):
    snapshot = write_gadget(tmp_path, box, velocity, shuffled, **written)
    files = density | {"snapshot": snapshot, "format": "gadget4"}
    found = read(box, files, first_id=1)
    same(found, box)
    check_velocities(found, box, velocity)
    assert found.attributes["particle_mass"] == pytest.approx(box.attributes["particle_mass"])
    assert len(FileBox.model_validate(files).files()) == 1 + written.get("files", 1)


def test_a_snapshot_of_gadget_may_lack_velocities(box, velocity, shuffled, tmp_path):
    files = write_arrays(box, tmp_path, shuffled)
    snapshot = write_gadget(tmp_path, box, velocity, shuffled)
    with h5py.File(snapshot, "r+") as file:
        del file["PartType1/Velocities"]
    files = {name: files[name] for name in ("linear_density", "halos")}
    found = read(box, files | {"snapshot": snapshot, "format": "gadget4"}, first_id=1)
    same(found, box)
    assert found.particles.velocity.shape == (0, 3)


def check_velocities(found, box, velocity):
    """Assert that velocities of halos are means over those of their particles [km/s]."""
    np.testing.assert_allclose(found.particles.velocity, velocity, atol=1e-3)
    position = box.particles.position
    options = {"linking_length": 0.2 * L / N, "min_particles": 5}
    labels = friends_of_friends(position, box_size=L, **options)
    expected = halo_properties(labels, position, velocity, box_size=L).velocities
    np.testing.assert_allclose(found.halos.velocity, expected, atol=0.01)


def test_a_snapshot_of_swift_is_the_box(box, velocity, shuffled, density, tmp_path):
    pytest.importorskip("swiftsimio")
    write_swift(tmp_path / "snap_0005.hdf5", box, velocity, shuffled)
    files = density | {"snapshot": f"{tmp_path}/snap_0005.hdf5", "format": "swift"}
    found = read(box, files)
    same(found, box, tolerance=2e-5)
    check_velocities(found, box, velocity)


def test_a_missing_swiftsimio_is_named(box, density, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "swiftsimio", None)
    files = density | {"snapshot": f"{tmp_path}/snap.hdf5", "format": "swift"}
    with pytest.raises(ValueError, match=r"pip install lagbias\[swift\]"):
        read(box, files)


def test_the_stage_checks_the_box_and_the_check_describes_it(box, shuffled, tmp_path):
    chosen = settings(box, write_arrays(box, tmp_path, shuffled))
    found = read_source("files", chosen.model_dump(), "mine", threads=1)
    same(found, box)
    text = check_files(chosen, "mine")
    assert text.startswith("mine can be used.")
    assert "32768 particles" in text and "322 halos" in text and "correlation 0.99" in text
    with pytest.raises(ValueError, match=r"has no box 'yours'\. Choose one of: mine"):
        check_files(chosen, "yours")


def test_a_source_in_code_is_a_module_and_a_class_of_settings(box, monkeypatch):
    class ToySettings(sections.SourceSettings):
        boxes: dict[str, int]

    def read_toy(settings, name, *, threads):
        return box if settings.boxes[name] == threads == 1 else None

    monkeypatch.setattr(sections, "ToySettings", ToySettings, raising=False)
    monkeypatch.setitem(sys.modules, "lagbias.sources.toy", SimpleNamespace(read_box=read_toy))
    needed = {"box_size": L, "particles_per_side": N, "density_grid": N, "redshift": Z}
    chosen = needed | {"min_halo_particles": 5, "boxes": {"mine": 1}}
    assert read_source("toy", chosen, "mine", threads=1) is box
    assert ToySettings.model_validate(chosen).input_files("mine") == []


def test_the_content_identifies_a_box(box, shuffled, tmp_path):
    files = write_arrays(box, tmp_path, shuffled)
    first = content_of(read(box, files))
    assert content_of(read(box, write_arrays(box, tmp_path, shuffled[::-1]))) == first
    assert content_of(read(box, files, kept_fraction=0.9)) != first


def test_a_planted_mistake_reaches_the_check(box, shuffled, tmp_path):
    chosen = settings(box, write_arrays(box, tmp_path, shuffled), particle_order="Fortran")
    with pytest.raises(ValueError, match=r"^mine: .* read in the other order"):
        check_files(chosen, "mine")


WRONG = {
    "dataset": (
        {"positions": "{dir}/box.h5:particles/y"},
        {},
        [
            "no array 'particles/y'; did you",
            "mean 'particles/x'?",
            "It has: ics/delta, particles/x.",
        ],
    ),
    "group": ({"positions": "{dir}/box.h5:particles"}, {}, ["no array 'particles'", "ics/delta"]),
    "name": ({"positions": "{dir}/halos.npz:centers"}, {}, ["did you mean 'centres'?", "mass"]),
    "file": ({"positions": "{dir}/bocks.h5:x"}, {}, ["bocks.h5 does not exist"]),
    "format": ({"positions": "{dir}/text.h5:x"}, {}, ["text.h5 cannot be read as a HDF5 file"]),
    "shape": ({"positions": "{dir}/ids.npy"}, {}, ["shape (32768,), but (32768, 3) is needed"]),
    "kpc": ({}, {"length_unit": 1000.0}, ["were 0.001 times as large", "kpc and Mpc"]),
    "h": ({}, {"length_unit": 0.7}, ["were 1.429 times as large", "a factor of h"]),
    "box size": ({}, {"box_size": 240.0}, ["were 2 times as large", "Correct length_unit or box"]),
    "origin": ({}, {"origin": -60.0}, ["box from -60 (origin) to 60", "Set origin to 0."]),
    "first ID": ({}, {"first_id": 1}, ["IDs run from 0 to 32767", "Set first_id to 0"]),
    "lattice": (
        {},
        {"particles_per_side": 30, "density_grid": 30, "omega_m": 0.27},
        ["Correct particles_per_side"],
    ),
    "grid": ({}, {"density_grid": 16}, ["shape (32, 32, 32), but (16, 16, 16) is needed"]),
    "omega_m": ({}, {"omega_m": 0.3, "particle_mass": 1e9}, ["The mass of a particle is 1e+09"]),
    "mass unit": ({}, {"mass_unit": 1e-10}, ["Correct mass_unit", "1.0e+10"]),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_what_does_not_fit_is_explained(box, tmp_path, mistake):
    replaced, changes, expected = WRONG[mistake]
    files = write_arrays(box, tmp_path, np.arange(N**3))
    (tmp_path / "text.h5").write_text("no HDF5")
    files |= {key: value.format(dir=tmp_path) for key, value in replaced.items()}
    with pytest.raises((OSError, ValueError)) as caught:
        read(box, files, **changes)
    for words in expected:
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [(lambda d: d + 1, "looks like 1"), (lambda d: d + 0.5, "Subtract the mean")],
)
def test_a_density_with_a_mean_is_explained(box, tmp_path, change, expected):
    files = write_arrays(box, tmp_path, np.arange(N**3))
    np.save(tmp_path / "other.npy", change(box.linear_density.delta))
    files["linear_density"] = f"{tmp_path}/other.npy"
    with pytest.raises(ValueError, match=expected):
        read(box, files)


def test_nodes_outside_the_grid_are_explained(box, tmp_path):
    files = write_arrays(box, tmp_path, np.arange(N**3), ids=1 + np.arange(N**3))
    files["lagrangian_index"] = files.pop("particle_ids")
    with pytest.raises(ValueError, match=r"runs from 1 to 32768, .* from 0 to .* = 32767"):
        read(box, files)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"box_size": 100.0}, "The snapshot has box_size = 120, the configuration 100"),
        ({"redshift": 1.0}, "The snapshot has redshift = 0.5, the configuration 1"),
    ],
)
def test_a_snapshot_that_contradicts_the_configuration_is_named(
    box, velocity, density, tmp_path, changes, expected
):
    snapshot = write_gadget(tmp_path, box, velocity, np.arange(N**3))
    files = density | {"snapshot": snapshot, "format": "gadget4"}
    with pytest.raises(ValueError, match=expected):
        read(box, files, first_id=1, **changes)


def test_broken_snapshots_are_explained(box, velocity, density, tmp_path):
    snapshot = write_gadget(tmp_path, box, velocity, np.arange(N**3), files=3)
    files = density | {"snapshot": snapshot, "format": "gadget4"}
    with h5py.File(tmp_path / "snapshot_005.1.hdf5", "a") as file:
        del file["PartType1/ParticleIDs"]
    with pytest.raises(ValueError, match="no PartType1/ParticleIDs, only: Coordinates, Velocities"):
        read(box, files)
    (tmp_path / "snapshot_005.1.hdf5").unlink()
    with pytest.raises(ValueError, match="one of 3 files, but 2 with such"):
        read(box, files)
    (tmp_path / "delta.hdf5").write_bytes(b"")
    with pytest.raises(OSError, match="no HDF5 file"):
        read(box, files | {"snapshot": f"{tmp_path}/delta.hdf5"})
    with pytest.raises(FileNotFoundError, match=r"none\.hdf5 does not exist"):
        read(box, files | {"snapshot": f"{tmp_path}/none.hdf5"})
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["x"] = [1.0]
    with pytest.raises(ValueError, match="no snapshot of Gadget: Header lacks BoxSize"):
        read(box, files | {"snapshot": f"{tmp_path}/other.hdf5"})


def test_friends_of_friends_need_all_particles(box, velocity, density, tmp_path):
    snapshot = write_gadget(tmp_path, box, velocity, np.arange(0, N**3, 2))
    files = density | {"snapshot": snapshot, "format": "gadget4"}
    with pytest.raises(ValueError, match=r"need all 32³ = 32768 .* have 16384"):
        read(box, files, first_id=1)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a/b.npy", ("a/b.npy", "")),
        ("a.npz:x", ("a.npz", "x")),
        ("a:b/c.hdf5:PartType1/Coordinates", ("a:b/c.hdf5", "PartType1/Coordinates")),
    ],
)
def test_arrays_are_named(source, expected):
    path, name = split_array(source)
    assert (str(path), name) == expected


@pytest.mark.parametrize("source", ["a.txt", "a.h5", "a.npz", "", "x"])
def test_other_names_of_arrays_are_refused(source):
    with pytest.raises(ValueError, match=r"Write `file\.npy`"):
        read_array(source)


def test_files_of_a_snapshot_are_in_their_order(tmp_path):
    for number in (10, 9, 0, 11):
        (tmp_path / f"snap_3.{number}.hdf5").touch()
    (tmp_path / "snap_4.1.hdf5").touch()
    found = [path.name for path in numbered_files(tmp_path / "snap_3.0.hdf5")]
    assert found == [f"snap_3.{number}.hdf5" for number in (0, 9, 10, 11)]
    assert numbered_files("snap_3.hdf5")[0].name == "snap_3.hdf5"
