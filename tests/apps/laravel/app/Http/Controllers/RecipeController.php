<?php

namespace App\Http\Controllers;

use App\Jobs\Cook;
use App\Models\Recipe;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\RedirectResponse;
use Illuminate\Http\Request;
use Illuminate\Routing\Controller;
use Illuminate\Support\Facades\Cache;
use Illuminate\Support\Facades\Storage;
use Illuminate\View\View;
use Symfony\Component\HttpFoundation\BinaryFileResponse;
use Symfony\Component\HttpFoundation\StreamedResponse;

/** Recipes, as pages and as JSON. */
final class RecipeController extends Controller
{
    public function index(Request $request): View
    {
        $recipes = Recipe::orderByDesc('id')->where('title', 'like', "%{$request->query('q')}%")->paginate(2);
        return view('index', ['recipes' => $recipes, 'views' => Cache::increment('views')]);
    }

    public function create(): View
    {
        return view('create');
    }

    public function store(Request $request): RedirectResponse
    {
        $fields = $request->validate([
            'title' => ['required', 'string', 'max:40', 'unique:recipes'],
            'text' => ['required', 'string'],
            'picture' => ['nullable', 'image', 'dimensions:min_width=10'],
        ]);
        $fields['picture'] = $request->file('picture')?->store('pictures', 'public');
        $recipe = Recipe::create($fields);
        return redirect()->route('recipe', $recipe)->with('status', 'Written & kept.');
    }

    public function show(Recipe $recipe): View
    {
        return view('recipe', ['recipe' => $recipe]);
    }

    /** The queue's worker cooks it, or this process does after its response. */
    public function cook(Request $request, Recipe $recipe): RedirectResponse
    {
        if ($request->boolean('later')) {
            Cook::dispatch($recipe);
        } else {
            Cook::dispatchAfterResponse($recipe);
        }
        return redirect()->route('recipe', $recipe);
    }

    public function table(): StreamedResponse
    {
        return response()->streamDownload(function () {
            $file = fopen('php://output', 'w');
            foreach (Recipe::orderBy('id')->cursor() as $recipe) {
                fputcsv($file, [$recipe->id, $recipe->title], escape: '');
                flush();
            }
        }, 'Rezepte für alle.csv', ['Content-Type' => 'text/csv']);
    }

    public function picture(Recipe $recipe): BinaryFileResponse
    {
        return response()->file(Storage::disk('public')->path($recipe->picture));
    }

    public function json(Recipe $recipe): JsonResponse
    {
        return response()->json($recipe);
    }

    public function change(Request $request, Recipe $recipe): JsonResponse
    {
        $recipe->update($request->validate(['title' => ['required', 'max:40']]));
        return response()->json($recipe);
    }

    public function destroy(Recipe $recipe): JsonResponse
    {
        $recipe->delete();
        return response()->json(null, 204);
    }
}
